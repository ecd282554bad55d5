"""The pages of quality control: what needs a person, and what persons corrected."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.dicom.header import UnreadableError
from apps.quality.forms import CorrectionForm, ReasonForm
from apps.studies.models import Conflict, Correction, Study
from apps.studies.services import (
    NotStorableError,
    QueuedFile,
    SettledAlreadyError,
    UndoneAlreadyError,
    compared,
    correct_by_hand,
    drop_newcomer,
    queued_file,
    store_newcomer,
    undo_correction,
    unmatch_study,
)
from apps.studies.spool import default_spool

LISTED = 50
VERBS = {"store": store_newcomer, "drop": drop_newcomer}


@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """Everything that waits for a decision."""
    conflicts = visible(request.user, Conflict).filter(state=Conflict.State.OPEN)
    studies: Any = visible(request.user, Study)
    context = {
        "conflicts": conflicts.select_related("instance__series__study")[:LISTED],
        "conflict_count": conflicts.count(),
        "contradicting": studies.without_order("conflict").newest_first(limit=LISTED),
        "unmatched": studies.without_order("unmatched").newest_first(limit=LISTED),
        "failed": _failed(request),
    }
    return render(request, "quality/inbox.html", context)


@require_http_methods(["GET", "POST"])
def conflict(request: HttpRequest, pk: int) -> HttpResponse:
    """Two objects with one UID, side by side; POST decides."""
    rows = visible(request.user, Conflict).select_related("instance__series__study", "settled_by")
    found = get_object_or_404(rows, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not (verb := VERBS.get(request.POST.get("verb", ""))):
            return HttpResponseBadRequest()
        _decide(request, verb, found, form.cleaned_data["reason"])
        return redirect("quality:inbox")
    return _conflict_page(request, found, form, code=422 if form.errors else 200)


@require_GET
def corrections(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of a study's page."""
    study = get_object_or_404(visible(request.user, Study), pk=pk)
    rows = study.corrections.select_related("user", "undone_by", "series").order_by("-id")
    context = {
        "study": study,
        "corrections": rows[:LISTED],
        "may_correct": can(request.user, Action.CHANGE, study),
        "reason_form": ReasonForm(auto_id="unmatch_%s"),  # its page has a reason already
    }
    return render(request, "quality/_corrections.html", context)


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Type over what a study says of itself."""
    study = get_object_or_404(visible(request.user, Study), pk=pk)
    form = CorrectionForm(study, request.POST or None)
    if request.method == "POST" and form.is_valid():
        _correct(request, study, form)
        return redirect("studies:detail", pk)
    context = {"study": study, "patient": study.patient, "form": form}
    return render(request, "quality/correct.html", context, status=422 if form.errors else 200)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a correction back."""
    found = get_object_or_404(visible(request.user, Correction), pk=pk)
    try:
        undo_correction(found, origin=origin_of(request))
        messages.success(request, _("The correction was undone."))
    except UndoneAlreadyError as error:
        messages.warning(request, str(error))
    return redirect("studies:detail", found.study_id)


@require_POST
def unmatch(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that a study does not belong to its order."""
    study, form = get_object_or_404(visible(request.user, Study), pk=pk), ReasonForm(request.POST)
    if form.is_valid():
        unmatch_study(study, reason=form.cleaned_data["reason"], origin=origin_of(request))
        messages.success(request, _("The study belongs to no order now."))
    else:
        messages.warning(request, _("Say why the study does not belong to its order."))
    return redirect("studies:detail", pk)


def _failed(request: HttpRequest) -> list[QueuedFile]:
    """Files that could not be stored, the latest first, for those who may see them."""
    if not can(request.user, Action.VIEW, Noun.INGEST):
        return []
    latest = default_spool().failed()[-LISTED:][::-1]
    return [found for path in latest if (found := queued_file(path))]


def _decide(request: HttpRequest, verb: Callable[..., None], found: Conflict, reason: str) -> None:
    try:
        verb(found, reason=reason, origin=origin_of(request))
        messages.success(request, _("The conflict is decided."))
    except (SettledAlreadyError, NotStorableError, UnreadableError, OSError) as error:
        messages.warning(request, str(error))


def _conflict_page(
    request: HttpRequest, found: Conflict, form: ReasonForm, *, code: int
) -> HttpResponse:
    lines, damage = [], ""
    try:
        lines = compared(found)
    except (OSError, UnreadableError) as error:
        damage = str(error)
    everything = "all" in request.GET
    context = {
        "conflict": found,
        "form": form,
        "damage": damage,
        "everything": everything,
        "lines": [line for line in lines if everything or line.differs],
        "count": len(lines),
    }
    return render(request, "quality/conflict.html", context, status=code)


def _correct(request: HttpRequest, study: Study, form: CorrectionForm) -> None:
    made = correct_by_hand(
        study,
        changes=form.study_changes(),
        series_changes=form.series_changes(),
        series=form.cleaned_data["series"],
        reason=form.cleaned_data["reason"],
        origin=origin_of(request),
    )
    if made:
        messages.success(request, _("The study is shown and sent as corrected."))
    else:
        messages.warning(request, _("Nothing was changed."))
