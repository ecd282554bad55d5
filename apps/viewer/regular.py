"""Series that are not regular: what the viewer is told of them, and having them made so."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.studies.models import RegularSeries, Series, Study
from apps.studies.services import NotRegularisable, ask_for_regular, finding_of, words_of
from apps.studies.services.regularity import MODALITIES, Finding, reason_words
from apps.viewer.lookup import seen_study

ASKED_OF = 200  # series of a study that are looked at


@require_safe
@never_cache
def irregular(request: HttpRequest, study_instance_uid: str) -> JsonResponse:
    """The series of a study that MPR and 3D would show wrongly, each with what can be done."""
    study = seen_study(request, study_instance_uid)
    rows = Series.objects.filter(study=study, modality__in=MODALITIES, instance_count__gt=1)
    made = {row.source_id: row for row in RegularSeries.objects.filter(source__study=study)}
    told = []
    for series in rows[:ASKED_OF]:
        finding = finding_of(series)
        if words := words_of(finding):
            told.append(_told(series, finding, words, made.get(series.pk)))
    return JsonResponse({"series": told})


@require_safe
@never_cache
def progress(request: HttpRequest, series_instance_uid: str) -> JsonResponse:
    """How far the making of a regular series is."""
    series = _series(request, series_instance_uid)
    return JsonResponse(_state(get_object_or_404(RegularSeries, source=series)))


@require_POST
def make_regular(request: HttpRequest, series_instance_uid: str) -> JsonResponse:
    """Have a regular series made; 409 with the reason where that cannot be."""
    series = _series(request, series_instance_uid)
    try:
        row = ask_for_regular(series, origin=origin_of(request))
    except NotRegularisable as refusal:
        return JsonResponse({"reason": str(refusal)}, status=409)
    return JsonResponse(_state(row), status=202 if row.is_under_way else 200)


def regular_facts(request: HttpRequest) -> dict[str, Any]:
    """The viewer's facts: addresses end with the UID that is asked for."""
    return {
        "mayMake": can(request.user, Action.CREATE, Noun.STUDY),
        "irregular": _address("viewer:irregular"),
        "progress": _address("viewer:regular-progress"),
        "make": _address("viewer:make-regular"),
        "words": {
            "notice": _("About this series"),
            "make": _("Make regular for MPR and 3D"),
            "making": _("Making a regular series: {percent} %"),
            "made": _("There is a regular series for MPR and 3D."),
            "show": _("Show it"),
            "mpr": _("Show MPR"),
            "again": _("Try again"),
            "failed": _("It could not be made: {reason}"),
            "close": _("Close"),
            "noAnswer": _("The server does not answer."),
        },
    }


def _address(name: str) -> str:
    return reverse(name, args=["0"]).replace("0/", "{uid}/")


def _series(request: HttpRequest, series_instance_uid: str) -> Series:
    rows = Series.objects.filter(study__in=visible(request.user, Study))
    return get_object_or_404(rows, series_instance_uid=series_instance_uid)


def _told(
    series: Series, finding: Finding, words: str, row: RegularSeries | None
) -> dict[str, Any]:
    cannot = str(finding["reason"])
    return {
        "uid": series.series_instance_uid,
        "kind": finding["kind"],
        "words": words,
        "cannot": reason_words(cannot) if cannot else "",
        **({} if row is None else _state(row)),
    }


def _state(row: RegularSeries) -> dict[str, Any]:
    done = row.state == RegularSeries.State.DONE
    here = done and Series.objects.filter(series_instance_uid=row.series_instance_uid).exists()
    return {
        "state": row.state if here or not done else "",
        "percent": row.percent,
        "reason": row.reason,
        "regular": row.series_instance_uid if here else "",
    }
