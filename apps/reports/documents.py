"""Documents of a study to be read: presentation states as pages, and everything as PDF.

What documents say was taken out of them in processes that may die of it
(apps/dicom/workshop.py); here it only is laid out.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typst
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.dicom.rendering.pages import facts, figure, notice, page
from apps.dicom.structured_report import person, readable_date, readable_time
from apps.reports.pdf import fonts
from apps.studies.models import Instance
from apps.studies.services.forms import Form, form_of
from apps.studies.services.outgoing import header_json
from apps.studies.services.presenting import (
    MOST_PICTURES,
    Named,
    is_applied,
    named_images,
    pictures_beside,
    presented_picture,
)
from apps.studies.services.rendering import NotRenderableError, report_sheet

SHEET = Path(__file__).with_name("document.typ")
_LABEL, _DESCRIPTION, _DATE, _TIME, _CREATOR = (0x00700080 + one for one in range(5))

Rows = list[tuple[str, str]]
Shown = tuple[str, bytes, str]  # caption, JPEG, or what is to be said in its place


def state_page(state: Instance) -> bytes:
    """A presentation state as a page: every image it names, as it wants it shown.

    Raises BusyError, and OSError where a file cannot be read.
    """
    title, about = _state_facts(state)
    parts = [
        figure(picture, "image/jpeg", caption) if picture else notice(f"{caption}: {missing}")
        for caption, picture, missing in _shown(state)
    ]
    body = facts(about) + "".join(parts) + "".join(map(notice, _remarks(state)))
    return page(title, body, get_language() or "en").encode()


def document_pdf(instance: Instance) -> bytes:
    """A report, clinical document or presentation state as PDF.

    Raises NotRenderableError, BusyError, and OSError where a file cannot be read.
    """
    if form_of(instance) == Form.PRESENTATION:
        title, about = _state_facts(instance)
        sheet: dict[str, Any] = {"title": title, "about": about, "tables": [], "lines": []}
        shown = list(_shown(instance))
        sheet["remarks"] = _remarks(instance)
    else:
        sheet = report_sheet(instance)
        shown = list(_beside(instance)) if form_of(instance) == Form.REPORT else []
        sheet["remarks"] = []
    return _compiled(_laid_out(instance, sheet), shown)


def _state_facts(state: Instance) -> tuple[str, Rows]:
    """Title, and what is to be known of a state (PS3.3 C.11.10, C.12.1)."""
    tags = {_LABEL, _DESCRIPTION, _DATE, _TIME, _CREATOR}
    header = header_json(state, lambda path: path, tags)
    study = state.series.study
    rows = [
        (_("Patient"), f"{study.shown_name} ({study.patient_identifier})"),
        (_("Label"), _value(header, _LABEL)),
        (_("Written"), _moment(_value(header, _DATE), _value(header, _TIME))),
        (_("Author"), person(_value(header, _CREATOR))),
    ]
    title = _value(header, _DESCRIPTION) or _("Presentation state")
    return title, [(name, value) for name, value in rows if value]


def _value(header: Any, tag: int) -> str:
    value = next(iter(header.get(f"{tag:08X}", {}).get("Value") or []), "")
    return str(value.get("Alphabetic", "") if isinstance(value, dict) else value or "").strip()


def _moment(day: str, time: str) -> str:
    return f"{readable_date(day)} {readable_time(time)}".strip()


def _shown(state: Instance) -> Iterator[Shown]:
    """The images a state names, each with its caption or what is wrong with it."""
    if not is_applied(state):
        return
    for named in named_images(state)[:MOST_PICTURES]:
        try:
            yield _caption(named), presented_picture(state, named) if named.row else b"", _absent()
        except NotRenderableError as error:
            yield _caption(named), b"", str(error)


def _remarks(state: Instance) -> list[str]:
    """What of a state is not shown, and why."""
    if not is_applied(state):
        return [_("This kind of presentation state is not applied here.")]
    count = len(named_images(state))
    if not count:
        return [_("This presentation state names no image.")]
    if count > MOST_PICTURES:
        said = _("Of %(count)s images the first %(shown)s are shown.")
        return [said % {"count": count, "shown": MOST_PICTURES}]
    return []


def _beside(report: Instance) -> Iterator[Shown]:
    """The images a report names."""
    for uid, picture in pictures_beside(report).items():
        yield uid, picture, _absent()


def _absent() -> str:
    return _("This image is not in the archive.")


def _caption(named: Named) -> str:
    if named.row is None:
        return named.uid
    series, number = named.row.series, named.row.number
    words = [series.description or series.modality, f"{series.number or 0} / {number or 0}"]
    if named.row.frames > 1:
        words.append(_("frame %(number)s") % {"number": named.frame})
    return ", ".join(words)


def _laid_out(instance: Instance, sheet: dict[str, Any]) -> dict[str, Any]:
    return {
        **sheet,
        "language": (get_language() or "en").split("-")[0],
        "site": settings.OPENPACS_SITE_NAME,
        "page-line": _("Page {page} of {pages}"),
        "footer": f"SOP Instance UID {instance.sop_instance_uid}",
    }


def _compiled(sheet: dict[str, Any], shown: list[Shown]) -> bytes:
    """Pictures go by files: Typst takes those from a folder only."""
    with tempfile.TemporaryDirectory(prefix="document-") as folder:
        pictures = []
        for index, (caption, picture, missing) in enumerate(shown):
            if picture:
                Path(folder, f"{index}.jpg").write_bytes(picture)
            name = f"{index}.jpg" if picture else ""
            pictures.append({"name": name, "caption": caption, "missing": missing})
        path = Path(folder, "document.typ")
        path.write_bytes(SHEET.read_bytes())
        try:
            return typst.compile(
                str(path),
                root=folder,
                font_paths=fonts(),
                ignore_system_fonts=True,
                sys_inputs={"sheet": json.dumps({**sheet, "pictures": pictures})},
            )
        except typst.TypstError:
            raise NotRenderableError(_("it cannot be laid out on paper")) from None
