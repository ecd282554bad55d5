"""QIDO-RS: searching for studies, series and instances (PS3.18 10.6)."""

from collections.abc import Callable
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.accounts.policy import visible
from apps.dicomweb.answers import instance_answer, series_answer, study_answer
from apps.dicomweb.negotiation import JSON, require_json
from apps.dicomweb.queries import Query, parse_query
from apps.dicomweb.views.lookup import find_series, find_study, root
from apps.studies.models import Instance, Series, Study
from apps.studies.querysets import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS

_ALL = (STUDY_KEYS, SERIES_KEYS, INSTANCE_KEYS)


@require_safe
def search_studies(request: HttpRequest) -> HttpResponse:
    """GET /studies"""
    query = parse_query(request.GET, _ALL)
    rows: Any = visible(request.user, Study)
    found = rows.answerable().matching(query.keys, query.terms).order_by("-study_date", "-id")
    return _answer(request, found, query, study_answer)


@require_safe
def search_series(request: HttpRequest, study: str = "") -> HttpResponse:
    """GET /series and /studies/{study}/series"""
    query = parse_query(request.GET, _ALL, **_within(request, study))
    rows: Any = visible(request.user, Series)
    found = rows.answerable().matching(query.keys, query.terms).select_related("study")
    if not study:
        found = found.order_by("-study__study_date", "-study_id", "number", "id")
    return _answer(request, found, query, series_answer)


@require_safe
def search_instances(request: HttpRequest, study: str = "", series: str = "") -> HttpResponse:
    """GET /instances, /studies/{study}/instances, .../series/{series}/instances"""
    query = parse_query(request.GET, _ALL, **_within(request, study, series))
    rows: Any = visible(request.user, Instance)
    found = rows.answerable().matching(query.keys, query.terms)
    found = found.light().select_related("series__study")
    ordered = found.order_by("series__number", "series_id", "number", "id")
    return _answer(request, ordered, query, instance_answer)


def _within(request: HttpRequest, study: str, series: str = "") -> dict[str, str]:
    """The keys that the path fixes; raises Http404 where the user sees no such object."""
    if series:
        find_series(request, study, series)
        return {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    if study:
        find_study(request, study)
        return {"StudyInstanceUID": study}
    return {}


def _answer(
    request: HttpRequest, rows: QuerySet[Any], query: Query, answer: Callable[[Any, str], Any]
) -> HttpResponse:
    require_json(request)
    # One more than asked for tells whether there are more.
    page = list(rows[query.offset : query.offset + query.limit + 1])
    address = root()
    body = orjson.dumps([answer(row, address) for row in page[: query.limit]])
    response = HttpResponse(body, content_type=JSON)
    if len(page) > query.limit:
        response["Warning"] = '299 openpacs "There are more results than were asked for."'
    return response
