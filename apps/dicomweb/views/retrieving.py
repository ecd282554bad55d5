"""WADO-RS: studies, series, instances, frames and bulk data (PS3.18 10.4)."""

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from apps.dicomweb.bulk import bulk_part
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.metadata import PIXEL_DATA
from apps.dicomweb.multipart import Part, bare_response, multipart_response
from apps.dicomweb.negotiation import DICOM, FRAME_TYPES, OCTETS, Choice, choose
from apps.dicomweb.pixels import file_part, frame_parts, served_syntax
from apps.dicomweb.views.lookup import find_instance, find_series, find_study, note
from apps.studies.models import Instance

MAX_FRAMES = 10_000
# Pixels never change under their UID: other content under it is refused.
_FOREVER = "private, max-age=31536000, immutable"
# The header of a file may be corrected: ask whether it was.
_ASK = "private, no-cache"


@require_safe
def retrieve_study(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}"""
    row = find_study(request, study)
    note(request, row)
    return _files(request, Instance.objects.filter(series__study=row).order_by("series", "id"))


@require_safe
def retrieve_series(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}"""
    row = find_series(request, study, series)
    note(request, row.study)
    return _files(request, row.instances.order_by("id"))


@require_safe
def retrieve_instance(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}: multipart, or bare for `application/dicom`"""
    row = find_instance(request, study, series, instance)
    note(request, row.series.study)
    choice = choose(request, [DICOM], transfer_syntax=row.transfer_syntax_uid, single=True)
    return _kept(request, row, choice, [_file(row)], overlay=row.overlay)


@require_safe
def retrieve_frames(
    request: HttpRequest, study: str, series: str, instance: str, frames: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/frames/{1,2,3}"""
    row = find_instance(request, study, series, instance)
    return _frames(request, row, _numbers(frames, row))


@require_safe
def retrieve_bulk_data(
    request: HttpRequest, study: str, series: str, instance: str, path: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/bulkdata/{tag}[/{item}/{tag}]..."""
    row = find_instance(request, study, series, instance)
    if path == PIXEL_DATA:
        return _frames(request, row, list(range(1, row.frames + 1)))
    part = bulk_part(row, path)
    kinds = [part.content_type, OCTETS] if part.content_type != OCTETS else [OCTETS]
    choice = choose(request, kinds, single=True)
    typed = Part(choice.media_type, part.length, part.chunks)
    return _kept(request, row, choice, [typed])


def _files(request: HttpRequest, rows: QuerySet[Instance]) -> HttpResponseBase:
    """Many files; nothing is re-encoded, so a single syntax asked for must be that of all."""
    parts = []
    for row in rows.defer("header", "frame_table", "bulk_table"):
        choose(request, [DICOM], transfer_syntax=row.transfer_syntax_uid, single=False)
        parts.append(_file(row))
    return multipart_response(DICOM, parts)


def _file(row: Instance) -> Part:
    return file_part(row, f"{DICOM}; transfer-syntax={row.transfer_syntax_uid}")


def _frames(request: HttpRequest, row: Instance, numbers: list[int]) -> HttpResponseBase:
    syntax = served_syntax(row)
    kinds = [OCTETS, *([FRAME_TYPES[syntax]] if syntax in FRAME_TYPES else [])]
    choice = choose(request, kinds, transfer_syntax=syntax, single=len(numbers) == 1)
    parts = frame_parts(row, numbers, f"{choice.media_type}; transfer-syntax={syntax}")
    return _kept(request, row, choice, parts)


def _numbers(text: str, row: Instance) -> list[int]:
    """Frame numbers counted from 1; raises BadRequestError for what is none of this image."""
    words = text.split(",")
    if len(words) > MAX_FRAMES or not all(one.isdecimal() and len(one) < 10 for one in words):
        raise BadRequestError("frames: not a list of frame numbers")
    numbers = [int(one) for one in words]
    if row.rows is None:
        raise BadRequestError("frames: this object has none")
    if not all(1 <= number <= row.frames for number in numbers):
        raise BadRequestError(f"frames: this object has {row.frames}")
    return numbers


def _kept(
    request: HttpRequest,
    row: Instance,
    choice: Choice,
    parts: list[Part],
    *,
    overlay: int | None = None,
) -> HttpResponseBase:
    """An answer that a browser may keep, for good where it holds no header (`overlay` None)."""
    tag = f'"{row.sha256[:32]}{f"-{overlay:x}" if overlay else ""}"'
    response: HttpResponseBase
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    elif choice.multipart:
        response = multipart_response(choice.media_type, parts)
    else:
        response = bare_response(parts[0])
    response["ETag"] = tag
    response["Cache-Control"] = _FOREVER if overlay is None else _ASK
    patch_vary_headers(response, ["Accept", "Cookie"])
    return response
