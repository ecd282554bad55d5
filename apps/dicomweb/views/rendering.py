"""WADO-RS: rendered studies, series, instances and frames (PS3.18 10.4.1.1.3)."""

import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicom.rendering.options import RenderOptions
from apps.dicomweb.answers import instance_address
from apps.dicomweb.caching import ASK, etag_of, kept
from apps.dicomweb.exceptions import BadRequestError, NotAcceptableError
from apps.dicomweb.multipart import bare_response, multipart_response, multipart_stream
from apps.dicomweb.negotiation import Choice
from apps.dicomweb.parameters import render_options
from apps.dicomweb.parts import Part
from apps.dicomweb.rendered import (
    EVERY,
    HTML,
    REPORT_POLICY,
    Target,
    choose_rendered,
    offered,
    rendered_parts,
)
from apps.dicomweb.views.framing import MAX_FRAMES
from apps.dicomweb.views.lookup import find_instance, find_series, find_study, note, root
from apps.studies.models import Instance, Study
from apps.studies.patience import TooMuchAsked
from apps.studies.services.forms import Form, form_of, typical_instance, typical_of_study
from apps.studies.services.rendering import NotRenderableError

log = logging.getLogger(__name__)
_DAY = "private, max-age=86400"  # what is drawn may come to be drawn otherwise


@require_safe
def rendered_study(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}/rendered: its typical image, or all of them as multipart"""
    row = find_study(request, study)
    rows = Instance.objects.filter(series__study=row).answerable()
    return _many(request, row, rows, typical_of_study(row))


@require_safe
def rendered_series(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}/rendered"""
    row = find_series(request, study, series)
    rows = Instance.objects.filter(series=row).answerable()
    return _many(request, row.study, rows, typical_instance(row))


@require_safe
def rendered_instance(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/rendered: its first frame, or all of them as a film"""
    return _one(request, Target(find_instance(request, study, series, instance)))


@require_safe
def rendered_frames(
    request: HttpRequest, study: str, series: str, instance: str, frames: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/frames/{1,2,3}/rendered"""
    row = find_instance(request, study, series, instance)
    return _one(request, Target(row, frame_numbers(frames, row)))


def frame_numbers(text: str, row: Instance) -> tuple[int, ...]:
    """Counted from 1; raises BadRequestError, and Http404 for frames that are not there."""
    words = text.split(",")
    plain = all(one.isdecimal() and one.isascii() and len(one) < 10 for one in words)
    if len(words) > MAX_FRAMES or not plain or not all(int(one) for one in words):
        raise BadRequestError("frames: not a list of frame numbers")
    if form_of(row) != Form.IMAGE or max(int(one) for one in words) > row.frames:
        raise Http404
    return tuple(int(one) for one in words)


def _one(request: HttpRequest, target: Target) -> HttpResponseBase:
    row = target.instance
    choice = choose_rendered(request, offered(target), single=len(target.as_pictures) == 1)
    options = render_options(request.GET.dict(), choice.media_type)
    note(request, row.series.study)
    form = form_of(row)
    # Reports and states show other objects of their study, too.
    others = row.series.study.revision if form in (Form.REPORT, Form.PRESENTATION) else 0
    etag = etag_of(row.sha256, row.overlay, target.frames, options, choice.multipart, others)
    # Without words on it an image shows nothing that could be corrected.
    lasting = form in (Form.IMAGE, Form.VIDEO) and not options.annotations

    def answer() -> HttpResponseBase:
        return _answer(request, rendered_parts(target, options), choice, etag)

    return kept(request, etag, answer, policy=_DAY if lasting else ASK)


def _answer(request: HttpRequest, parts: list[Part], choice: Choice, etag: str) -> HttpResponseBase:
    if choice.multipart:
        return multipart_response(choice.media_type, parts)
    response = bare_response(request, parts[0], etag)
    if choice.media_type == HTML:
        response["Content-Security-Policy"] = REPORT_POLICY
    return response


def _many(
    request: HttpRequest, study: Study, rows: "QuerySet[Instance]", typical: Instance | None
) -> HttpResponseBase:
    """One for each object that has such a form, made when its turn comes; or the typical one."""
    if typical is None:
        raise Http404
    choice = choose_rendered(request, offered(Target(typical)), single=True, also=EVERY)
    if not choice.multipart:
        return _one(request, Target(typical))
    options = render_options(request.GET.dict(), choice.media_type)
    note(request, study)
    ordered = rows.select_related("series__study").order_by("series", "number", "id")
    parts = _every_part(ordered, options)
    first = next(parts, None)
    if first is None:
        raise NotAcceptableError(f"No object here is available as {choice.media_type}.")
    return multipart_stream(choice.media_type, itertools.chain([first], parts))


def _every_part(rows: "QuerySet[Instance]", options: RenderOptions) -> Iterator[Part]:
    address = root()
    for row in rows.iterator(chunk_size=20):
        uids = (
            row.series.study.study_instance_uid,
            row.series.series_instance_uid,
            row.sop_instance_uid,
        )
        try:
            made = _parts_of(Target(row), options)
        except (BadRequestError, NotRenderableError, TooMuchAsked) as error:
            log.warning("Left out of a rendered answer: %s (%s)", row.sop_instance_uid, error)
            continue
        location = f"{instance_address(address, *uids)}/rendered"
        yield from (replace(one, location=location) for one in made)


def _parts_of(target: Target, options: RenderOptions) -> list[Part]:
    if form_of(target.instance) == Form.PRESENTATION or options.media_type not in offered(target):
        return []
    return rendered_parts(target, options)
