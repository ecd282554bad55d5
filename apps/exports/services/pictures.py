"""Pictures of images: as files of their own, and with the page that shows them on any PC."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from apps.dicom.rendering.options import JPEG, PNG, RenderOptions, Viewport, Window
from apps.exports.members import Member, text_member
from apps.exports.services.gathering import Placed, placed
from apps.studies.models import Instance, Study
from apps.studies.services.forms import Form, form_of, is_mp4, is_mpeg2, video_spans
from apps.studies.services.rendering import (
    NotRenderableError,
    render,
    render_film,
    repack_video,
)
from apps.studies.services.rewriting import CHUNK
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)
PORTABLE = Path(__file__).parents[1] / "portable"
MP4 = "video/mp4"
MOST_FRAMES = 1000  # of one object, on the page for any PC
SHOWN = Viewport(1024, 1024)
_ENDINGS = {JPEG: "JPG", PNG: "PNG"}
# CT is shown as the device said, and as lungs and bones are looked at (Hounsfield units).
_PRESETS = {"L": Window(-600, 1600), "B": Window(400, 1800)}


def picture_members(
    keys: Sequence[int], *, media_type: str = JPEG, on_object: Callable[[], None]
) -> Iterator[Member]:
    """Every frame as a picture, films too, in a folder for each series; then what has none.

    `on_object` is called when all of an object is there.
    """
    missing = []
    for one in placed(keys):
        study, series, number = one.numbers
        name = f"STUDY{study:02d}/SERIES{series:03d}/IMAGE{number:05d}"
        made = 0
        for member in _shown(one.row, name, media_type):
            made += 1
            yield member
        on_object()
        if not made:
            missing.append(one.row.sop_instance_uid)
    if missing:
        said = _("These objects cannot be shown as pictures:")
        yield text_member("README.TXT", "\r\n".join([said, "", *missing, ""]))


def _shown(row: Instance, name: str, media_type: str) -> Iterator[Member]:
    """The pictures of one object, and its film where it moves."""
    if form_of(row) == Form.VIDEO:
        yield from _stream(row, name)
        return
    for frame in range(1, row.frames + 1):
        picture = _picture(row, frame, RenderOptions(media_type))
        if picture is not None:
            part = f"_{frame:04d}" if row.frames > 1 else ""
            yield _stored(f"{name}{part}.{_ENDINGS[media_type]}", picture)
    if row.frames > 1 and (film := _film(row)):
        yield _stored(f"{name}.MP4", film)


def _film(row: Instance) -> bytes | None:
    frames, options = range(1, row.frames + 1), RenderOptions(MP4)
    return _made_film(row, lambda: render_film(row, frames=frames, options=options)[1])


def _made_film(row: Instance, make: Callable[[], bytes]) -> bytes | None:
    try:
        return make()
    except NotRenderableError as error:
        log.warning("No film of %s: %s", row.sop_instance_uid, error)
        return None


def _stream(row: Instance, name: str) -> Iterator[Member]:
    """A stored video: as it is, or as MP4 where its own container is taken by few players."""
    spans = video_spans(row)
    if is_mpeg2(row) or is_mp4(row, spans):
        yield _copied(row, spans, f"{name}.{'MPG' if is_mpeg2(row) else 'MP4'}")
    elif film := _made_film(row, lambda: repack_video(row)):
        yield _stored(f"{name}.MP4", film)


def _copied(row: Instance, spans: list[int], name: str) -> Member:
    """Parts of a stored file, read when their turn comes."""
    file_name = row.file_name

    def chunks() -> Iterator[bytes]:
        for offset, length in zip(spans[0::2], spans[1::2], strict=True):
            for start in range(offset, offset + length, CHUNK):
                size = min(CHUNK, offset + length - start)
                yield stored_files().read(file_name, start, size)

    return Member(name, chunks, sum(spans[1::2]))


class PortablePages:
    """A page that shows images in any browser, from a disc or a folder, without a network.

    Built beside the objects themselves: `pictures_of` for each, `pages` at the end.
    """

    def __init__(self) -> None:
        self._studies: dict[int, dict[str, Any]] = {}
        self._count = 0

    def pictures_of(self, one: Placed) -> Iterator[Member]:
        """The pictures of one object."""
        row = one.row
        shown = min(row.frames, MOST_FRAMES) if row.rows else 0
        images = self._series(row)["images"]
        for frame in range(1, shown + 1):
            self._count += 1
            # With the letter of the window eight characters, as on every disc.
            name = f"VIEWER/P{self._count // 1000:04d}/I{self._count % 1_000_000:06d}"
            entry: dict[str, Any] = {"file": name, "windows": []}
            for letter, window in self._windows(row).items():
                options = RenderOptions(JPEG, window=window, viewport=SHOWN, quality=88)
                picture = _picture(row, frame, options)
                if picture is None:
                    break
                entry["windows"].append(letter)
                yield _stored(f"{name}{letter}.JPG", picture)
            if entry["windows"]:
                images.append(entry)

    def pages(self) -> Iterator[Member]:
        """The page, its script and what it shows."""
        studies = [
            {**study, "series": list(study["series"].values())} for study in self._studies.values()
        ]
        text = render_to_string("exports/portable.html", {"words": json.dumps(_words())})
        yield text_member("INDEX.HTM", text)
        yield text_member("VIEWER/DATA.JS", f"window.studies = {json.dumps(studies)};\n")
        yield text_member("VIEWER/VIEWER.JS", _kept("viewer.js"))
        yield text_member("VIEWER/VIEWER.CSS", _kept("viewer.css"))

    @staticmethod
    def _windows(row: Instance) -> dict[str, Window | None]:
        usual: dict[str, Window | None] = {"D": None}
        return {**usual, **_PRESETS} if row.series.modality == "CT" else usual

    def _series(self, row: Instance) -> dict[str, Any]:
        series = row.series
        study = self._studies.setdefault(series.study_id, _told(series.study))
        found: dict[str, Any] = study["series"].setdefault(
            series.pk,
            {
                "number": series.number,
                "modality": series.modality,
                "description": series.description or series.protocol_name,
                "images": [],
            },
        )
        return found


def _told(study: Study) -> dict[str, Any]:
    return {
        "patient": study.shown_name,
        "number": study.patient_identifier,
        "date": study.study_date.isoformat() if study.study_date else "",
        "description": study.description,
        "series": {},
    }


def _words() -> dict[str, str]:
    """What the script says, in the language of the site."""
    return {
        "image": _("Image"),
        "images": _("images"),
        "one": _("1 image"),
        "usual": _("As stored"),
        "lung": _("Lung"),
        "bone": _("Bone"),
        "nothing": _("There are no pictures of this series."),
    }


def _picture(row: Instance, frame: int, options: RenderOptions) -> bytes | None:
    """None where it cannot be shown: such objects lie beside it as DICOM files."""
    try:
        return render(row, frame=frame, options=options)[1]
    except NotRenderableError as error:
        log.warning("No picture of %s: %s", row.sop_instance_uid, error)
        return None


def _stored(name: str, data: bytes) -> Member:
    return Member(name, lambda: iter([data]), len(data))


@cache
def _kept(name: str) -> str:
    return (PORTABLE / name).read_text(encoding="utf-8")
