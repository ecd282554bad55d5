"""WADO-RS: bulk data, one value or all of them (PS3.18 10.4.1.1.5)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicomweb.bulk import bulk_locations, bulk_part
from apps.dicomweb.caching import FOREVER, etag_of, kept
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.methods import Description, described
from apps.dicomweb.multipart import bare_response, multipart_response, multipart_stream
from apps.dicomweb.negotiation import OCTETS, choose
from apps.dicomweb.parts import Part
from apps.dicomweb.pixels import pixel_tag
from apps.dicomweb.views.framing import pixel_data
from apps.dicomweb.views.lookup import find_instance, find_series, find_study, note, root
from apps.studies.models import Instance

VALUES = Description(("accept",), (OCTETS,))


@described(VALUES)
@require_safe
def retrieve_bulk_data(
    request: HttpRequest, study: str, series: str, instance: str, path: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/bulkdata/{tag}[/{item}/{tag}]..., a range of it if asked for"""
    row = find_instance(request, study, series, instance)
    note(request, row.series.study)
    if path.upper() == pixel_tag(row.rows, row.pixel_vr):
        return pixel_data(request, row)
    part = bulk_part(row, path)
    kinds = [part.content_type, OCTETS] if part.content_type != OCTETS else [OCTETS]
    choice = choose(request, kinds, single=True)
    typed = replace(part, content_type=choice.media_type, location="")
    etag = etag_of(row.sha256, path, choice)

    def answer() -> HttpResponseBase:
        if choice.multipart:
            return multipart_response(choice.media_type, [typed])
        return bare_response(request, typed, etag)

    return kept(request, etag, answer, policy=FOREVER)


@described(VALUES)
@require_safe
def retrieve_all_bulk_data(
    request: HttpRequest, study: str, series: str = "", instance: str = ""
) -> HttpResponseBase:
    """GET {study, series or instance}/bulkdata: every value but pixels, each with its address"""
    rows = _instances(request, study, series, instance)
    choice = choose(request, [OCTETS], single=False)
    parts = _parts(rows)
    first = next(parts, None)
    if first is None:
        raise Http404
    if not choice.multipart:
        raise NotAcceptableError(f"Available as multipart/related of {OCTETS}.")
    return multipart_stream(OCTETS, _chained(first, parts))


def _instances(request: HttpRequest, study: str, series: str, instance: str) -> Iterable[Instance]:
    if instance:
        row = find_instance(request, study, series, instance)
        note(request, row.series.study)
        return [row]
    within = find_series(request, study, series) if series else None
    found = within.study if within else find_study(request, study)
    note(request, found)
    rows = (
        Instance.objects.filter(series=within)
        if within
        else Instance.objects.filter(series__study=found)
    )
    rows = rows.answerable().select_related("series__study").order_by("series", "id")
    return rows.iterator(chunk_size=20)


def _parts(rows: Iterable[Instance]) -> Iterator[Part]:
    address = root()
    for row in rows:
        for path, location in bulk_locations(row, address):
            if path != pixel_tag(row.rows, row.pixel_vr):
                yield bulk_part(row, path, location)


def _chained(first: Part, rest: Iterator[Part]) -> Iterator[Part]:
    yield first
    yield from rest
