"""The pages of what is taken out of use: rejecting with a reason, and bringing back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.policy import Action, can, visible
from apps.audit.services import Origin, origin_of
from apps.quality.forms import RejectionForm, RejectSeveralForm
from apps.studies.chosen import Result, chosen_studies
from apps.studies.models import Rejection, Study
from apps.studies.services import (
    RejectedAlreadyError,
    RestoredAlreadyError,
    Target,
    UnknownReasonError,
    restore,
)
from apps.studies.services import reject as reject_target

PAGE_SIZE = 50


@require_GET
def rejected(request: HttpRequest) -> HttpResponse:
    """Everything that is out of use, newest first."""
    rows: Any = visible(request.user, Rejection)
    rows = rows.by_people().in_force()
    page = _number(request.GET.get("page", ""))
    start = (page - 1) * PAGE_SIZE
    found = list(
        rows.select_related("study", "series", "instance", "user")[start:][: PAGE_SIZE + 1]
    )
    context = {
        "rejections": found[:PAGE_SIZE],
        "next": page + 1 if len(found) > PAGE_SIZE else 0,
        "may_restore": can(request.user, Action.DELETE, Study),
    }
    return render(request, "quality/rejected.html", context)


@require_GET
def panel(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of a study's page: what of it is rejected, and a form to reject more."""
    study = get_object_or_404(visible(request.user, Study), pk=pk)
    return _panel(request, study, RejectionForm(study, auto_id="reject_%s"))


@require_POST
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a study, or a series of it, out of use."""
    study = get_object_or_404(visible(request.user, Study), pk=pk)
    form = RejectionForm(study, request.POST, auto_id="reject_%s")
    if not form.is_valid():
        messages.warning(request, _("Say why, and choose a kind of reason."))
        return redirect("studies:detail", pk)
    data = form.cleaned_data
    try:
        target = Target(study, data["series"])
        reject_target(target, code=data["code"], reason=data["reason"], origin=origin_of(request))
        messages.success(request, _("It is not shown to anybody any more. The images are kept."))
    except RejectedAlreadyError as error:
        messages.warning(request, str(error))
    left = Study.objects.filter(pk=pk).exists()
    return redirect("studies:detail", pk) if left else redirect("quality:rejected")


@require_http_methods(["GET", "POST"])
def reject_several(request: HttpRequest) -> HttpResponse:
    """GET says how many studies (`study`) it is and asks why; POST does it and tells of each."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = chosen_studies(visible(request.user, Study), given.getlist("study"))
    form = RejectSeveralForm(request.POST or None)
    context: dict[str, Any] = {"chosen": chosen, "form": form}
    if request.method == "POST" and form.is_valid():
        origin, why = origin_of(request), form.cleaned_data
        context["results"] = [_rejected(study, why, origin) for study in chosen.studies]
    code = 422 if form.errors else 200
    return render(request, "quality/reject_several.html", context, status=code)


def _rejected(study: Study, why: dict[str, str], origin: Origin) -> Result:
    try:
        reject_target(Target(study), code=why["code"], reason=why["reason"], origin=origin)
    except (RejectedAlreadyError, UnknownReasonError) as refusal:
        return Result(study, done=False, text=str(refusal))
    return Result(study, done=True, text=_("It is not shown to anybody any more."))


@require_POST
def bring_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Show again what was rejected."""
    found = get_object_or_404(visible(request.user, Rejection), pk=pk)
    try:
        restore(found, origin=origin_of(request))
        messages.success(request, _("It is shown again."))
    except RestoredAlreadyError as error:
        messages.warning(request, str(error))
    left = Study.objects.filter(pk=found.study_id).exists()
    return redirect("studies:detail", found.study_id) if left else redirect("quality:rejected")


def _panel(request: HttpRequest, study: Study, form: RejectionForm) -> HttpResponse:
    rows = study.rejections.by_people().in_force()
    context = {
        "study": study,
        "form": form,
        "rejections": rows.select_related("series", "instance", "user")[:PAGE_SIZE],
        "may_reject": can(request.user, Action.DELETE, study),
    }
    return render(request, "quality/_rejections.html", context)


def _number(text: str) -> int:
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
