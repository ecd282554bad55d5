"""WADO-RS: frames, and pixel data as a whole (PS3.18 10.4.1.1.4 and 10.4.1.1.6)."""

from collections.abc import Iterator
from dataclasses import replace

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicom.header import NATIVE
from apps.dicomweb.answers import instance_address
from apps.dicomweb.caching import FOREVER, etag_of, kept
from apps.dicomweb.exceptions import BadRequestError, NotAcceptableError
from apps.dicomweb.methods import Description, described
from apps.dicomweb.multipart import bare_response, multipart_response, multipart_stream
from apps.dicomweb.negotiation import FRAME_SYNTAXES, OCTETS, Choice, choose_for_frames
from apps.dicomweb.parts import Part
from apps.dicomweb.pixels import frame_parts, pixel_tag, whole_pixels
from apps.dicomweb.views.lookup import (
    find_frames,
    find_instance,
    find_series,
    find_study,
    note,
    note_named,
    root,
)
from apps.studies.models import Instance

MAX_FRAMES = 10_000
PIXELS = Description(("accept",), (OCTETS, *FRAME_SYNTAXES))


@described(PIXELS)
@require_safe
def retrieve_frames(
    request: HttpRequest, study: str, series: str, instance: str, frames: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/frames/{1,2,3}"""
    numbers = _numbers(frames)
    row, places = find_frames(request, study, series, instance, numbers)
    note_named(request, study)
    _check(numbers, row)
    choice = choose_for_frames(request, row.transfer_syntax_uid, single=len(numbers) == 1)
    etag = etag_of(row.sha256, frames, choice)

    def answer() -> HttpResponseBase:
        parts = frame_parts(row, numbers, places, choice.media_type, choice.transfer_syntax)
        if choice.multipart:
            return multipart_response(choice.media_type, parts)
        return bare_response(request, parts[0], etag)

    return kept(request, etag, answer, policy=FOREVER)


@described(PIXELS)
@require_safe
def retrieve_pixel_data(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/pixeldata: what its metadata point to"""
    row = find_instance(request, study, series, instance)
    note(request, row.series.study)
    if not pixel_tag(row.rows, row.pixel_vr):
        raise Http404
    return pixel_data(request, row)


@described(PIXELS)
@require_safe
def retrieve_all_pixel_data(request: HttpRequest, study: str, series: str = "") -> HttpResponseBase:
    """GET /studies/{study}/pixeldata and .../series/{series}/pixeldata, image after image"""
    within = find_series(request, study, series) if series else None
    found = within.study if within else find_study(request, study)
    note(request, found)
    images = Instance.objects.filter(rows__isnull=False).exclude(pixel_vr="")
    images = images.filter(series=within) if within else images.filter(series__study=found)
    syntaxes = set(images.values_list("transfer_syntax_uid", flat=True).distinct().order_by())
    if not syntaxes:
        raise Http404
    choices = {one: choose_for_frames(request, one, single=False) for one in syntaxes}
    kinds = {choice.media_type for choice in choices.values()}
    if len(kinds) > 1:
        raise NotAcceptableError("These images have no media type in common.")
    ordered = images.select_related("series__study").order_by("series", "id")
    return multipart_stream(kinds.pop(), _every_part(ordered, choices))


def pixel_data(request: HttpRequest, row: Instance) -> HttpResponseBase:
    """The pixel data of one image: plain as one value, compressed as a part for each frame."""
    single = row.frames == 1 or row.transfer_syntax_uid in NATIVE
    choice = choose_for_frames(request, row.transfer_syntax_uid, single=single)
    etag = etag_of(row.sha256, "pixeldata", choice)

    def answer() -> HttpResponseBase:
        parts = _pixel_parts(row, choice)
        if choice.multipart:
            return multipart_response(choice.media_type, parts)
        if len(parts) > 1:
            raise NotAcceptableError("Its frames are available as multipart/related.")
        return bare_response(request, parts[0], etag)

    return kept(request, etag, answer, policy=FOREVER)


def _every_part(rows: "QuerySet[Instance]", choices: dict[str, Choice]) -> Iterator[Part]:
    address = root()
    for row in rows.iterator(chunk_size=20):
        series = row.series
        uids = (series.study.study_instance_uid, series.series_instance_uid, row.sop_instance_uid)
        for part in _pixel_parts(row, choices[row.transfer_syntax_uid]):
            location = f"{instance_address(address, *uids)}/pixeldata"
            yield replace(part, location=location)


def _pixel_parts(row: Instance, choice: Choice) -> list[Part]:
    label = choice.media_type, choice.transfer_syntax
    if choice.transfer_syntax in NATIVE and row.transfer_syntax_uid in NATIVE:
        return [whole_pixels(row, *label)]
    numbers = list(range(1, row.frames + 1))
    table = row.frame_table or [None] * row.frames
    return frame_parts(row, numbers, table[: row.frames], *label)


def _numbers(text: str) -> list[int]:
    words = text.split(",")
    if len(words) > MAX_FRAMES or not all(one.isdecimal() and len(one) < 10 for one in words):
        raise BadRequestError("frames: not a list of frame numbers")
    return [int(one) for one in words]


def _check(numbers: list[int], row: Instance) -> None:
    """Counted from 1; raises BadRequestError for what is none of this image."""
    if row.rows is None:
        raise BadRequestError("frames: this object has none")
    if not all(1 <= number <= row.frames for number in numbers):
        raise BadRequestError(f"frames: this object has {row.frames}")
