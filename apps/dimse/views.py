"""The pages about other archives: ask them, and fetch from them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.audit.services import origin_of
from apps.dimse import tasks
from apps.dimse.forms import RemoteSearchForm, RetrieveForm
from apps.dimse.models import Retrieval
from apps.dimse.services import (
    CalledDeviceFailed,
    NotFailed,
    echo,
    find_remote_series,
    find_remote_studies,
    request_retrieval,
    retry_retrieval,
)
from apps.studies.models import Study
from apps.worklist.models import Device

SHOWN = 30  # retrievals


@require_GET
def archive_list(request: HttpRequest) -> HttpResponse:
    """The devices that can be called, and what was fetched last."""
    context = {"archives": _archives(), "retrievals": _latest()}
    return render(request, "dimse/archive_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    """One archive: the question, and its answers.

    The question is posted: it names patients, and addresses are kept in logs and histories.
    """
    device = get_object_or_404(_archives(), pk=pk)
    asked = request.method == "POST"
    form = RemoteSearchForm(request.POST if asked else None)
    context: dict[str, Any] = {"archive": device, "form": form, "asked": asked}
    if asked and form.is_valid():
        try:
            found = find_remote_studies(device, form.wanted, origin=origin_of(request))
            context["found"] = found
        except CalledDeviceFailed as error:
            context["error"] = str(error)
    return render(request, "dimse/archive.html", context)


@require_GET
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """The series of one study over there."""
    device = get_object_or_404(_archives(), pk=pk)
    form = RetrieveForm(request.GET)
    context: dict[str, Any] = {"archive": device, "study_uid": request.GET.get("study", "")}
    if not form.is_valid():
        context["error"] = _("This is no UID.")
    else:
        try:
            context["found"] = find_remote_series(device, form.cleaned_data["study"])
        except CalledDeviceFailed as error:
            context["error"] = str(error)
    part = bool(getattr(request, "htmx", False))
    return render(request, "dimse/_series.html" if part else "dimse/series.html", context)


@require_POST
def test_connection(request: HttpRequest, pk: int) -> HttpResponse:
    """C-ECHO."""
    device = get_object_or_404(_archives(), pk=pk)
    result = echo(device, origin=origin_of(request))
    level = messages.SUCCESS if result.success else messages.ERROR
    messages.add_message(request, level, f"{device}: {result.message}")
    return redirect("dimse:archive", pk)


@require_POST
def retrieve(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a study or a series; answered with its state, or the list of retrievals."""
    device = get_object_or_404(_archives(), pk=pk)
    form = RetrieveForm(request.POST)
    if not form.is_valid():
        return HttpResponse(_("This is no UID."), status=422)
    wanted = form.cleaned_data
    row = request_retrieval(device, wanted["study"], wanted["series"], origin=origin_of(request))
    tasks.nudge(tasks.retrieve, row.pk)
    return _state(request, row)


@require_POST
def retrieve_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin a failed retrieval again."""
    try:
        row = retry_retrieval(get_object_or_404(Retrieval, pk=pk), origin=origin_of(request))
    except NotFailed as error:
        messages.warning(request, str(error))
    else:
        tasks.nudge(tasks.retrieve, row.pk)
    return redirect("dimse:archives")


@require_GET
def retrieval_list(request: HttpRequest) -> HttpResponse:
    """The table of retrievals, as it is now."""
    return render(request, "dimse/_retrievals.html", {"retrievals": _latest()})


@require_GET
def retrieval_state(request: HttpRequest, pk: int) -> HttpResponse:
    """How far one retrieval is."""
    row = get_object_or_404(Retrieval, pk=pk)
    return render(request, "dimse/_state.html", {"retrieval": row})


def _state(request: HttpRequest, row: Retrieval) -> HttpResponse:
    if not getattr(request, "htmx", False):
        return redirect("dimse:archives")
    row.refresh_from_db()
    return render(request, "dimse/_state.html", {"retrieval": row})


def _archives() -> Any:
    """Whatever can be called; what does not offer queries will say so."""
    return Device.objects.exclude(host="").order_by("name")


def _latest() -> list[Retrieval]:
    rows = list(Retrieval.objects.select_related("device", "user")[:SHOWN])
    uids = {row.study_instance_uid for row in rows}
    here = Study.objects.filter(study_instance_uid__in=uids)
    keys = dict(here.values_list("study_instance_uid", "pk"))
    for row in rows:
        row.study_key = keys.get(row.study_instance_uid)  # type: ignore[attr-defined]  # for the page
    return rows
