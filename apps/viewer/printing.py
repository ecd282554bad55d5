"""Images on paper: a PDF of what the viewer shows, or of a series in rows and columns.

Who the patient is comes from our rows, never from the browser: a sheet must not name
somebody whom its pictures do not show.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.rendering.options import RenderOptions, Viewport, Window
from apps.reports.pdf import moment, paper, picture_name
from apps.reports.services import patient_header
from apps.studies.models import Series, Study
from apps.studies.services import of_patient_of
from apps.studies.services.recording import record_of_study
from apps.studies.services.rendering import NotRenderableError, render
from apps.studies.services.showing import ShownFrame, shown_frames

LAYOUT = Path(__file__).with_name("print.typ")
PAPERS = {"a4": "A4", "us-letter": "Letter"}
MOST_CELLS = 36  # viewports of a layout
MOST_IMAGES = 120  # of a series on one print
_SHOWN = Viewport(700, 700)  # at 300 dots an inch about 6 cm
_QUALITY = 90
_NO_LETTERS = {"top": "", "left": "", "right": "", "bottom": ""}

Box = tuple[float, float, float, float]


class NotPrintable(ValueError):
    """There is nothing to be printed, or not on one sheet; the message says why."""


@dataclass(frozen=True)
class Paper:
    """`size` is one of PAPERS."""

    size: str
    landscape: bool


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A picture (JPEG or PNG made by us), its place in fractions of the page, and its words."""

    study: Study
    content: bytes
    media_type: str
    box: Box
    caption: Sequence[str] = ()
    letters: dict[str, str] = field(default_factory=lambda: dict(_NO_LETTERS))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which images of a series, counted from 1, in how many rows and columns of a page."""

    first: int
    last: int
    step: int
    rows: int
    columns: int
    window: Window | None
    instance: str = ""  # UID: of its frames only, where it has several


def print_layout(cells: Sequence[Cell], *, on: Paper, origin: Origin) -> bytes:
    """The pictures of a layout on one page. Raises NotPrintable for those of two patients."""
    return _printed([list(cells)], on, origin)


def print_series(series: Series, rows: Rows, *, on: Paper, origin: Origin) -> bytes:
    """Images of a series as we render them. Raises NotPrintable, BusyError, OSError."""
    chosen = shown_frames(series, instance_uid=rows.instance)[
        rows.first - 1 : rows.last : rows.step
    ]
    if not chosen:
        raise NotPrintable(_("There are no such images in this series."))
    if len(chosen) > MOST_IMAGES:
        said = _("At most %(most)d images are printed at once. Take every other one.")
        raise NotPrintable(said % {"most": MOST_IMAGES})
    boxes = _grid(rows)
    pages = [
        [_rendered(series, *pair, rows.window) for pair in zip(chosen[at:], boxes, strict=False)]
        for at in range(0, len(chosen), len(boxes))
    ]
    return _printed(pages, on, origin)


def series_line(series: Series) -> str:
    """Number and description of a series, as a line of a caption."""
    description = series.description or series.protocol_name or series.modality
    number = "" if series.number is None else f"{series.number}: "
    return f"{number}{description}"


def _grid(rows: Rows) -> list[Box]:
    width, height = 1 / rows.columns, 1 / rows.rows
    return [
        (column * width, row * height, width, height)
        for row in range(rows.rows)
        for column in range(rows.columns)
    ]


def _rendered(series: Series, image: ShownFrame, box: Box, window: Window | None) -> Cell:
    options = RenderOptions(window=window, viewport=_SHOWN, quality=_QUALITY)
    try:
        media_type, content = render(image.instance, frame=image.frame, options=options)
    except NotRenderableError as error:
        raise NotPrintable(_("An image cannot be shown: %(why)s") % {"why": error}) from None
    words = [series_line(series), _("Image %(number)s") % {"number": image.number}]
    if window:
        words.append(f"W {window.width:g} L {window.center:g}")
    caption = ["  ".join(words)]
    return Cell(
        study=series.study, content=content, media_type=media_type, box=box, caption=caption
    )


def _printed(pages: Sequence[Sequence[Cell]], on: Paper, origin: Origin) -> bytes:
    cells = [cell for page in pages for cell in page]
    studies = list({cell.study.pk: cell.study for cell in cells}.values())
    _check_one_patient(studies)
    files = {picture_name(at, one.media_type): one.content for at, one in enumerate(cells)}
    data = {**_words(studies, origin), "paper": on.size, "landscape": on.landscape}
    names = iter(files)
    data["pages"] = [[_told(cell, next(names)) for cell in page] for page in pages]
    made = paper(LAYOUT, "print", data, at=timezone.now(), files=files)
    _note_printing(studies, pictures=len(cells), origin=origin)
    return made


def _check_one_patient(studies: Sequence[Study]) -> None:
    if not studies:
        raise NotPrintable(_("There is no picture to print."))
    rows = Study.objects.filter(pk__in=[one.pk for one in studies])
    if rows.filter(of_patient_of(studies[0])).count() < len(studies):
        raise NotPrintable(_("Images of two patients are not printed on one sheet."))


def _told(cell: Cell, file: str) -> dict[str, Any]:
    letters = {**_NO_LETTERS, **cell.letters}
    return {"file": file, "box": cell.box, "caption": list(cell.caption), "letters": letters}


def _words(studies: Sequence[Study], origin: Origin) -> dict[str, Any]:
    return {
        "language": (get_language() or "en").split("-")[0],
        "title": _("Images"),
        "site": settings.OPENPACS_SITE_NAME,
        "patient": _patient(studies[0]),
        "studies": [_study_line(one) for one in studies],
        "footer": _("Printed by %(user)s on %(when)s. Not for diagnosis.")
        % {"user": origin.user, "when": moment(timezone.now())},
        "page-line": _("Page {page} of {pages}"),
    }


def _patient(study: Study) -> list[str]:
    """Name, then number, date of birth and sex: of our patient, else as the images say."""
    if study.patient:
        told = patient_header(study.patient)
        name = " / ".join(one for one in (told["name"], told["native_name"]) if one)
        facts: Iterable[str] = (told["identifier"], told["birth_date"], told["sex"])
    else:
        name = study.shown_name
        facts = (study.patient_identifier, study.shown_birth_date, study.patient_sex)
    return [name or _("Name not given"), ", ".join(one for one in facts if one)]


def _study_line(study: Study) -> str:
    day = formats.date_format(study.study_date, "DATE_FORMAT") if study.study_date else ""
    accession = (
        _("Accession number %(number)s") % {"number": study.accession_number}
        if study.accession_number
        else ""
    )
    return ", ".join(one for one in (day, study.description, accession) if one)


def _note_printing(studies: Sequence[Study], *, pictures: int, origin: Origin) -> None:
    with transaction.atomic():
        for study in studies:
            record_of_study(
                Kind.IMAGES_PRINTED,
                study,
                origin=origin,
                details={"pictures": pictures},
            )
