"""Opening a row of the list in place: a study, its series, the instances of a series."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.studies.models import Series, Study
from apps.studies.services import note_viewing, of_patient_of
from apps.studies.views.detail import study_or_404

INSTANCES = 24  # on a page of a series
SERIES = 200  # shown of a study


@require_GET
def expanded(request: HttpRequest, pk: int) -> HttpResponse:
    """A study opened in the list; looking at it is journalled."""
    study = study_or_404(request, pk)
    note_viewing(study, origin=origin_of(request))
    series = study.series.annotate(first_instance=Min("instances"))[:SERIES]
    context = {
        "study": study,
        "series": series,
        "more_series": max(0, study.series_count - SERIES),
        "labels": study.labels.all(),
        "procedures": study.procedures.select_related("order"),
        "may_see_orders": can(request.user, Action.VIEW, Noun.ORDER),
        "may_see_transfers": can(request.user, Action.VIEW, Noun.TRANSFER),
    }
    return render(request, "studies/_expanded.html", context)


@require_GET
def instances(request: HttpRequest, pk: int) -> HttpResponse:
    """A page of the instances of a series."""
    rows: Any = visible(request.user, Series).select_related("study")
    series = get_object_or_404(rows, pk=pk)
    light = series.instances.only("pk", "sop_instance_uid", "number", "frames", "series_id")
    page = Paginator(light, INSTANCES).get_page(request.GET.get("page"))
    context = {"series": series, "study": series.study, "page_obj": page}
    return render(request, "studies/_instances.html", context)


@require_GET
def patient(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything the archive has of the patient of a study."""
    study = study_or_404(request, pk)
    note_viewing(study, origin=origin_of(request))
    rows: Any = visible(request.user, Study)
    same = of_patient_of(study)
    studies = list(rows.filter(same).newest_first(limit=SERIES + 1))
    context = {
        "study": study,
        "patient": study.patient,
        "studies": studies[:SERIES],
        "more": len(studies) > SERIES,
        "identities": _identities(studies, study),
        "namesakes": _namesakes(rows.exclude(same), study),
    }
    return render(request, "studies/patient_studies.html", context)


def _identities(studies: list[Study], study: Study) -> list[dict[str, Any]]:
    """Who the studies say they are of: each spelling once, the others than this one marked."""
    said: dict[tuple[str, ...], int] = {}
    for one in studies:
        said[_identity(one)] = said.get(_identity(one), 0) + 1
    names = ("name", "number", "issuer", "birth_date", "sex")
    return [
        {**dict(zip(names, key, strict=True)), "count": count, "differs": key != _identity(study)}
        for key, count in said.items()
    ]


def _identity(study: Study) -> tuple[str, ...]:
    return (
        study.shown_name,
        study.patient_identifier,
        study.patient_identifier_issuer,
        study.shown_birth_date,
        study.patient_sex,
    )


def _namesakes(rows: Any, study: Study) -> list[Study]:
    """Studies with the same number that are not surely of this patient."""
    if not study.patient_identifier:
        return []
    return list(rows.filter(patient_identifier=study.patient_identifier).newest_first(limit=20))
