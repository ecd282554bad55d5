"""Pictures, films and pages of stored instances, for people to look at.

All of it is made in processes that may die of it (apps/dicom/workshop.py): nothing here decodes.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.dicom.header import NOT_IN_FILE, explicit
from apps.dicom.rendering.options import JPEG, RenderOptions, Viewport
from apps.dicom.transcoding import MIB
from apps.dicom.workshop import BusyError, JobError, Workshop
from apps.studies.models import Instance, Provenance
from apps.studies.services.caching import cached
from apps.studies.services.forms import Form, form_of, video_spans
from apps.studies.services.outgoing import corrected_header, outgoing
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)
HTML, TEXT, SHEET = "html", "text", "sheet"  # as the workbench has them

__all__ = ["BusyError", "NotRenderableError", "RenderOptions", "render", "thumbnail"]

MOST_BYTES = 512 * MIB  # of a data set that has to be read as a whole
MEMORY_BYTES = 2560 * MIB
PICTURE_SECONDS, FILM_SECONDS = 20, 120  # of CPU time
THUMBNAIL_SIDE = 256
_QUALITY = 80  # of thumbnails
_PALETTES = range(0x00281201, 0x00281224)
_ICC_PROFILE = 0x00282000
_LARGE = {"header", "frame_table", "bulk_table"}
_OVERLAYS = range(0x6000, 0x6020, 2)
_MADE_BY = 1  # grows when pictures come to look otherwise, so that kept ones are made anew

_pictures = Workshop(seconds=PICTURE_SECONDS, memory_bytes=MEMORY_BYTES)
_films = Workshop(processes=1, seconds=FILM_SECONDS, memory_bytes=MEMORY_BYTES, kind="films")


class NotRenderableError(ValueError):
    """This object cannot be shown; the message says why."""


def render(
    instance: Instance, *, frame: int = 1, options: RenderOptions | None = None
) -> tuple[str, bytes]:
    """One frame, counted from 1, as (media type, file).

    Raises NotRenderableError, BusyError, and OSError where the file cannot be read.
    """
    wanted = options or RenderOptions()
    if form_of(instance) != Form.IMAGE:
        raise NotRenderableError(_("this object is no image"))
    if not 1 <= frame <= instance.frames:
        raise NotRenderableError(_("this object has no such frame"))
    arguments, contents = _question(instance, frame)
    return wanted.media_type, _made(_pictures, "picture", arguments, contents, wanted)


def render_film(
    instance: Instance, *, frames: Sequence[int], options: RenderOptions
) -> tuple[str, bytes]:
    """Frames one after the other as GIF or MP4; raises as `render` does."""
    arguments = {"syntax": instance.transfer_syntax_uid, "frames": list(frames)}
    made = _made(_films, "film", arguments, [_whole(instance)], options)
    return options.media_type, made


def film_piece(pictures: Sequence[bytes], *, first: bytes, speed: float) -> bytes:
    """A piece of a film of JPEG pictures that `render` made; raises as `render` does.

    `first` is the first picture of the whole film: all pieces are as large.
    """
    return _made(_films, "slides", {"speed": speed}, [first, *pictures])


def join_film(pieces: Sequence[bytes], *, speed: float) -> bytes:
    """Pieces of one film and one speed as a whole; raises as `render` does."""
    return _made(_films, "join", {"speed": speed}, pieces)


def repack_video(instance: Instance) -> bytes:
    """A stored video in another container than MP4, as MP4; raises as `render` does."""
    return _made(_films, "repack", {}, _video(instance))


def render_state(
    state: Instance, image: Instance, *, frame: int = 1, options: RenderOptions
) -> bytes:
    """A frame of an image as a presentation state shows it; raises as `render` does."""
    if form_of(image) != Form.IMAGE or not 1 <= frame <= image.frames:
        raise NotRenderableError(_("this object has no such frame"))
    arguments, contents = _question(image, frame)
    asked = {**arguments, "state": state.transfer_syntax_uid, "image": image.sop_instance_uid}
    return _made(_pictures, "presentation", asked, [_whole(state), *contents], options)


def render_report(
    instance: Instance, *, html: bool, pictures: Mapping[str, bytes] | None = None
) -> bytes:
    """A structured report or clinical document as a page or as plain text.

    `pictures` are JPEGs of images the report names, by UID. Raises as `render` does.
    """
    job, arguments, contents = _report_question(instance, HTML if html else TEXT, pictures or {})
    return _made(_pictures, job, arguments, contents)


def report_sheet(instance: Instance) -> dict[str, Any]:
    """The same as rows for a sheet of paper (apps/dicom/rendering/reports.py as_sheet)."""
    job, arguments, contents = _report_question(instance, SHEET, {})
    try:
        return _pictures.do(job, arguments, contents)[0]
    except JobError as error:
        raise NotRenderableError(str(error)) from None


def _report_question(
    instance: Instance, form: str, pictures: Mapping[str, bytes]
) -> tuple[str, dict[str, Any], list[bytes]]:
    """Which job makes the form of a report, and from what."""
    job = "document" if form_of(instance) == Form.DOCUMENT else "report"
    syntax = instance.transfer_syntax_uid
    told = {"form": form, "words": _words(), "syntax": syntax, "pictures": list(pictures)}
    told["saved"] = _saved(instance)
    return job, told, [_whole(instance), *pictures.values()]


def _saved(instance: Instance) -> list[str]:
    """Who saved an object here, and when; empty for what came from elsewhere."""
    made = Provenance.objects.filter(instance=instance).first()
    return [made.name, timezone.localtime(made.at).strftime("%Y-%m-%d %H:%M")] if made else []


def thumbnail(
    instance: Instance,
    *,
    frame: int | None = None,
    width: int = THUMBNAIL_SIDE,
    height: int = THUMBNAIL_SIDE,
) -> bytes:
    """A small JPEG of one frame, by default the middle one; kept, so that it is made once.

    What cannot be shown gets a drawn sign. Raises BusyError, and OSError where the file
    cannot be read at the moment.
    """
    name = thumbnail_name(instance, frame=frame, width=width, height=height)
    return cached(f"{name}.jpg", lambda: _small(instance, _chosen(instance, frame), width, height))


def prepare_thumbnail(instance: Instance) -> None:
    """Have the usual thumbnail ready; where that fails, the first who asks for it is told."""
    try:
        thumbnail(instance)
    except (BusyError, OSError) as error:
        log.warning("No thumbnail of %s yet (%s)", instance.sop_instance_uid, type(error).__name__)


def thumbnail_name(
    instance: Instance,
    *,
    frame: int | None = None,
    width: int = THUMBNAIL_SIDE,
    height: int = THUMBNAIL_SIDE,
) -> str:
    """Another one for every other thumbnail."""
    shown = f"{_chosen(instance, frame)}-{width}x{height}-{_MADE_BY}"
    return f"{instance.sha256}-{instance.overlay:x}-{shown}"


def close() -> None:
    """End the processes; what is asked for next starts new ones."""
    _pictures.close()
    _films.close()


def _chosen(instance: Instance, frame: int | None) -> int:
    return frame or (max(instance.frames, 1) + 1) // 2


def _small(instance: Instance, frame: int, width: int, height: int) -> bytes:
    options = RenderOptions(JPEG, viewport=Viewport(width, height), quality=_QUALITY)
    form = form_of(instance)
    try:
        if form == Form.IMAGE:
            return render(instance, frame=frame, options=options)[1]
        if form == Form.VIDEO:
            return _made(_films, "poster", {}, _video(instance), options)
    except NotRenderableError:
        pass  # the sign says so
    label = _sign_of(instance, form)
    arguments = {"label": label, "size": [width, height]}
    return _made(_pictures, "sign", arguments, [], options)


def _sign_of(instance: Instance, form: Form) -> str:
    """A few letters: what kind of object it is."""
    if form == Form.PDF:
        return "PDF"
    modality = "".join(char for char in instance.series.modality if char.isalnum())
    return modality[:10].upper() or "DICOM"


def _made(
    workshop: Workshop,
    job: str,
    arguments: dict[str, Any],
    contents: Sequence[bytes],
    options: RenderOptions | None = None,
) -> bytes:
    asked = {**arguments, "options": options.words()} if options else arguments
    try:
        _answer, (made,) = workshop.do(job, asked, contents)
    except JobError as error:
        raise NotRenderableError(str(error)) from None
    return made


def _question(instance: Instance, frame: int) -> tuple[dict[str, Any], list[bytes]]:
    """What the workshop needs to make a picture: no more of the file than that."""
    if late := instance.get_deferred_fields() & _LARGE:
        instance.refresh_from_db(fields=sorted(late))
    arguments = {"syntax": instance.transfer_syntax_uid, "frame": frame}
    bulk = [row for row in instance.bulk_table if _is_shown(row[0])]
    if instance.frame_table is None or any(row[2] == NOT_IN_FILE for row in bulk):
        return {**arguments, "whole": True}, [_whole(instance)]
    files = stored_files()
    values = [files.read(instance.file_name, offset, length) for _t, _v, offset, length in bulk]
    asked = {
        **arguments,
        "whole": False,
        "bulk": [row[0] for row in bulk],
        "explicit": explicit(instance.transfer_syntax_uid),
    }
    return asked, [corrected_header(instance), _pixels(instance, frame), *values]


def _is_shown(tag: int) -> bool:
    """Is a large value one that pictures are made with?"""
    is_overlay = tag >> 16 in _OVERLAYS and tag & 0xFFFF == 0x3000
    return tag in _PALETTES or tag == _ICC_PROFILE or is_overlay


def _pixels(instance: Instance, frame: int) -> bytes:
    table = instance.frame_table or []
    if frame > len(table):
        raise NotRenderableError(_("there are fewer frames than the header says"))
    return b"".join(_read(instance, table[frame - 1]))


def _video(instance: Instance) -> list[bytes]:
    return _read(instance, video_spans(instance))


def _read(instance: Instance, spans: list[int]) -> list[bytes]:
    """Pieces of a file; `spans` is offset, length, offset, length and so on."""
    if sum(spans[1::2]) > MOST_BYTES:
        raise NotRenderableError(_("its pixels are too large"))
    files = stored_files()
    pairs = zip(spans[0::2], spans[1::2], strict=True)
    return [files.read(instance.file_name, offset, length) for offset, length in pairs]


def _whole(instance: Instance) -> bytes:
    found = outgoing(instance)
    if found.size > MOST_BYTES:
        raise NotRenderableError(_("its pixels are too large"))
    return b"".join(found.pieces())


def _words() -> dict[str, str]:
    """The words around a report; apps/dicom/rendering/reports.py has them in English."""
    return {
        "language": get_language() or "en",
        "report": _("Structured report"),
        "patient": _("Patient"),
        "birth_date": _("Date of birth"),
        "sex": _("Sex"),
        "study": _("Study"),
        "accession": _("Accession number"),
        "written": _("Written"),
        "completion": _("Completeness"),
        "verification": _("Verification"),
        "verifier": _("Verified by"),
        "saved": _("Saved here by"),
        "image": _("Image"),
        "context": _("Context"),
        "modifier": _("Modifier"),
        "acquisition": _("Acquisition"),
        "inferred": _("Inferred from"),
        "selected": _("Selected from"),
        "see": _("See item"),
        "empty": _("No value"),
        "totals": _("Totals"),
        "events": _("Irradiations"),
        "number": _("No."),
        "everything": _("Everything in the report"),
        "absent": _("This image is not in the archive."),
    }
