"""One study, and the panels that other pages show of studies."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.policy import Action, can, visible
from apps.audit.services import origin_of
from apps.orders.models import Order
from apps.patients.models import Patient
from apps.studies.forms import MatchForm
from apps.studies.models import Study
from apps.studies.services import match_study, note_viewing

LISTED = 50


@require_GET
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One study with its series; opening it is journalled."""
    study = study_or_404(request, pk)
    note_viewing(study, origin=origin_of(request))
    return _page(request, study, MatchForm(request.user))


@require_GET
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """The series of a study that is open, where it changed since `revision`; else 204."""
    study = get_object_or_404(visible(request.user, Study), pk=pk)
    if request.GET.get("revision") == str(study.revision):
        return HttpResponse(status=204)
    context = {"study": study, "series": study.series.all()}
    return render(request, "studies/_series.html", context)


@require_POST
def match(request: HttpRequest, pk: int) -> HttpResponse:
    """Say by hand which order a study belongs to."""
    study, form = study_or_404(request, pk), MatchForm(request.user, request.POST)
    if not form.is_valid():
        return _page(request, study, form, code=422)
    procedure, reason = form.cleaned_data["procedure"], form.cleaned_data["reason"]
    match_study(study, procedure=procedure, reason=reason, origin=origin_of(request))
    said = _("The study now belongs to order %(order)s.") % {"order": procedure.order}
    messages.success(request, said)
    return redirect("studies:detail", pk)


@require_GET
def patient_studies(request: HttpRequest, patient: int) -> HttpResponse:
    """The panel of a patient's page."""
    found = get_object_or_404(visible(request.user, Patient), pk=patient)
    studies = visible(request.user, Study).filter(patient=found)
    return _panel(request, studies)


@require_GET
def order_studies(request: HttpRequest, order: int) -> HttpResponse:
    """The panel of an order's page."""
    found = get_object_or_404(visible(request.user, Order), pk=order)
    studies = visible(request.user, Study).filter(procedures__order=found).distinct()
    return _panel(request, studies)


def _panel(request: HttpRequest, studies: Any) -> HttpResponse:
    context = {
        "studies": studies.newest_first(limit=LISTED),
        "may_view": can(request.user, Action.VIEW, Study),
    }
    return render(request, "studies/_panel.html", context)


def _page(request: HttpRequest, study: Study, form: MatchForm, *, code: int = 200) -> HttpResponse:
    context = {
        "study": study,
        "patient": study.patient,
        "series": study.series.all(),
        "procedures": study.procedures.select_related("order"),
        "form": form,
        "may_match": can(request.user, Action.CHANGE, study),
        "may_export": can(request.user, Action.EXPORT, study),
    }
    return render(request, "studies/study_detail.html", context, status=code)


def study_or_404(request: HttpRequest, pk: int) -> Study:
    """A study that this user may see."""
    rows = visible(request.user, Study).select_related("patient")
    return get_object_or_404(rows.prefetch_related("patient__identifiers"), pk=pk)
