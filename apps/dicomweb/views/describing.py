"""WADO-RS metadata of studies, series and instances (PS3.18 10.4.1.1.2)."""

import gzip
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from apps.dicomweb.metadata import instance_metadata, series_metadata
from apps.dicomweb.negotiation import JSON, require_json
from apps.dicomweb.views.lookup import find_instance, find_series, find_study, note, root
from apps.studies.models import Series


@require_safe
def study_metadata(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}/metadata, one series after the other"""
    row = find_study(request, study)
    require_json(request)
    note(request, row)
    rows = row.series.select_related("study")
    return StreamingHttpResponse(_joined(rows, root()), content_type=JSON)


@require_safe
def series_metadata_view(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}/metadata, compressed as it is kept"""
    row = find_series(request, study, series)
    require_json(request)
    note(request, row.study)
    tag = f'"{row.pk}-{row.revision}"'
    response: HttpResponseBase
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    else:
        response = _compressed(request, series_metadata(row, root()))
    response["ETag"] = tag
    patch_vary_headers(response, ["Accept", "Accept-Encoding", "Cookie"])
    return response


@require_safe
def instance_metadata_view(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/metadata"""
    row = find_instance(request, study, series, instance)
    require_json(request)
    note(request, row.series.study)
    return HttpResponse(instance_metadata(row, root()), content_type=JSON)


def _compressed(request: HttpRequest, body: bytes) -> HttpResponse:
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return HttpResponse(gzip.decompress(body), content_type=JSON)
    response = HttpResponse(body, content_type=JSON)
    response["Content-Encoding"] = "gzip"
    return response


def _joined(rows: QuerySet[Series], address: str) -> Iterator[bytes]:
    """The arrays of all series as one, held one series at a time."""
    before = b"["
    for row in rows:
        inner = gzip.decompress(series_metadata(row, address))[1:-1]
        if inner:
            yield before + inner
            before = b","
    yield b"[]" if before == b"[" else b"]"
