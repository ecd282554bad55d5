"""Rendered representations: which there are of an instance, and how each is made (PS3.18 8.7.3)."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import HttpRequest

from apps.dicom.rendering.options import GIF, JPEG, PNG, RenderOptions
from apps.dicom.rendering.pages import STYLE
from apps.dicomweb.bulk import bulk_part
from apps.dicomweb.exceptions import BadRequestError, NotAcceptableError
from apps.dicomweb.negotiation import Choice, accepted
from apps.dicomweb.parts import Part, held_part, stored_part
from apps.reports.documents import document_pdf, state_page
from apps.studies.models import Instance
from apps.studies.services import rendering
from apps.studies.services.answering_films import answering_film, answering_video
from apps.studies.services.forms import Form, form_of, is_mp4, is_mpeg2, video_spans
from apps.studies.services.presenting import named_images, pictures_beside, presented

MP4, MPEG, PDF = "video/mp4", "video/mpeg", "application/pdf"
HTML, TEXT = "text/html", "text/plain"
EVERY = (JPEG, PNG, GIF, MP4, MPEG, PDF, HTML, TEXT)
_FILMS = (GIF, MP4)
_DOCUMENT = "00420011"
_DOCUMENTS = (Form.REPORT, Form.DOCUMENT, Form.PRESENTATION)
_CHARSET = "; charset=utf-8"
# A report is words only: no scripts, nothing fetched, in an origin of its own.
_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
REPORT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)


@dataclass(frozen=True)
class Target:
    """What is to be rendered: frames of an instance, by default the first or all as fits."""

    instance: Instance
    frames: tuple[int, ...] = ()

    @property
    def as_pictures(self) -> tuple[int, ...]:
        return self.frames or (1,)

    @property
    def as_film(self) -> Sequence[int]:
        return self.frames or range(1, self.instance.frames + 1)


def offered(target: Target) -> list[str]:
    """Media types that an instance can be had in, the usual one first."""
    row = target.instance
    form = form_of(row)
    if form == Form.PRESENTATION:
        return [HTML, PDF, *([PNG, JPEG] if len(named_images(row)) == 1 else [])]
    if form == Form.IMAGE:
        return [JPEG, PNG, GIF, *([MP4] if len(target.as_film) > 1 else [])]
    if form == Form.VIDEO:
        return [MPEG if is_mpeg2(row) else MP4]
    words = [HTML, TEXT, PDF]
    return {Form.PDF: [PDF], Form.REPORT: words, Form.DOCUMENT: words}.get(form, [])


def choose_rendered(
    request: HttpRequest, offers: Sequence[str], *, single: bool, also: Sequence[str] = ()
) -> Choice:
    """The best of the media types; one part goes bare unless multipart is asked for.

    Without `single` there are several pictures: those need multipart, or go into one film.
    `also`: what there is in multipart answers only.
    """
    for one in accepted(request):
        known = [*offers, *also] if one.multipart else offers
        fitting = [offer for offer in known if one.covers(offer)]
        if fitting and (one.multipart or single):
            return Choice(fitting[0], one.multipart)
        if films := [offer for offer in fitting if offer in _FILMS and one.media_type == offer]:
            return Choice(films[0], multipart=False)
        if fitting and one.media_type == "*/*":
            return Choice(fitting[0], multipart=True)
    raise NotAcceptableError(_alternatives(offers, single=single))


def rendered_parts(target: Target, options: RenderOptions) -> list[Part]:
    """In `options.media_type`; raises BadRequestError, and what `answering_film` does."""
    row, kind = target.instance, options.media_type
    form = form_of(row)
    if form == Form.VIDEO:
        return [_video_part(row, kind)]
    if form == Form.PDF:
        part = bulk_part(row, _DOCUMENT)
        return [replace(part, content_type=PDF, location="")]
    if form in _DOCUMENTS:
        return [_document_part(row, form, options)]
    _check_region(row, options)
    if kind == MP4 or (kind == GIF and len(target.as_film) > 1):
        made = answering_film(row, frames=target.as_film, options=options)
        return [held_part(made, kind)]
    pictures = (rendering.render(row, frame=one, options=options) for one in target.as_pictures)
    return [held_part(data, kind) for kind, data in pictures]


def _check_region(row: Instance, options: RenderOptions) -> None:
    if options.viewport and not options.viewport.region(row.columns or 0, row.rows or 0):
        raise BadRequestError(
            f"viewport: the region lies outside the image of {row.columns} by {row.rows} pixels"
        )


def _document_part(row: Instance, form: Form, options: RenderOptions) -> Part:
    """A report, a clinical document or a presentation state to be read."""
    kind = options.media_type
    if kind == PDF:
        return held_part(document_pdf(row), PDF)
    if form == Form.PRESENTATION:
        if kind == HTML:
            return held_part(state_page(row), HTML + _CHARSET)
        return held_part(presented(row, named_images(row)[0], options), kind)
    pictures = pictures_beside(row) if kind == HTML and form == Form.REPORT else {}
    made = rendering.render_report(row, html=kind == HTML, pictures=pictures)
    return held_part(made, kind + _CHARSET)


def _video_part(row: Instance, kind: str) -> Part:
    """The stream as it is stored, or in the container that was promised."""
    spans = video_spans(row)
    if kind == MPEG or is_mp4(row, spans):
        return stored_part(row.file_name, spans, kind)
    return held_part(answering_video(row), kind)


def _alternatives(offers: Sequence[str], *, single: bool) -> str:
    if not offers:
        return "There is no rendered form of this object."
    form = "" if single else "multipart/related of "
    return f"Available as {form}{', '.join(offers)}."
