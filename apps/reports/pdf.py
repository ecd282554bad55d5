"""A signed version as a sheet of paper: PDF by Typst, text as data, Noto for all scripts."""

import datetime
import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typst
from django.conf import settings
from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.orders.models import Order
from apps.reports.models import ReportPicture, ReportVersion, Section
from apps.studies.models import Study

SHEET = Path(__file__).with_name("report.typ")
# PDF/A-2b for the archive; Typst refuses it where a glyph is in no font.
ARCHIVAL = "a-2b"

Rows = list[tuple[str, str]]


@functools.cache
def fonts() -> typst.Fonts:
    """The fonts of the sheet: those `make install` copied to build/fonts, else Typst's own."""
    folder = settings.BUILD_DIR / "fonts"
    return typst.Fonts(
        include_system_fonts=False, font_paths=[str(folder)] if folder.is_dir() else []
    )


def render(
    version: ReportVersion,
    *,
    earlier: Sequence[ReportVersion],
    pictures: Sequence[ReportPicture] = (),
    study_uid: str,
) -> bytes:
    """The PDF of a version that is about to be signed.

    `earlier` are the versions signed before it, in order: an addendum is shown below the
    text it adds to. Characters in no font come out as boxes and cost the PDF/A mark.
    """
    said = sheet(version, earlier=earlier, study_uid=study_uid)
    files = {
        picture_name(at, one.media_type): bytes(one.picture) for at, one in enumerate(pictures)
    }
    said["pictures"] = [
        {"file": name, "caption": one.caption, "proportion": one.height / one.width}
        for name, one in zip(files, pictures, strict=True)
    ]
    return paper(SHEET, "report", said, at=version.signed_at, files=files)


def picture_name(number: int, media_type: str) -> str:
    """What a picture is called on the way to the sheet."""
    return f"picture-{number}.{'png' if media_type == 'image/png' else 'jpg'}"


def paper(
    layout: Path,
    name: str,
    data: dict[str, Any],
    *,
    at: datetime.datetime,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """A PDF of a layout in Typst, which gets `data` as its input `name`, and pictures by name.

    It can read what is in its own folder, which is made for this and gone afterwards.
    """
    inputs = {name: json.dumps(data)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file_name, content in {layout.name: layout.read_bytes(), **(files or {})}.items():
            (folder / file_name).write_bytes(content)
        try:
            return _compile(folder / layout.name, inputs, at, standards=[ARCHIVAL])
        except typst.TypstError:
            return _compile(folder / layout.name, inputs, at, standards=[])


def sheet(
    version: ReportVersion, *, earlier: Sequence[ReportVersion], study_uid: str
) -> dict[str, Any]:
    """What the sheet says, as the data that report.typ lays out."""
    shown = [*_since_last_full_text(earlier, version), version]
    return {
        "language": (get_language() or "en").split("-")[0],
        "title": _("Radiology report"),
        "site": settings.OPENPACS_SITE_NAME,
        "signer": str(version.signer),
        "watermark": _("PRELIMINARY") if _is_preliminary(version) else "",
        "status": _("%(status)s report") % {"status": version.get_status_display()},
        "patient": _patient(version.patient_header),
        "order": _order(version.report.order),
        "sections": [part for one in shown for part in _sections(one, since=shown[0])],
        "signatures": [_signature(one) for one in shown],
        "footer": _("Accession number %(accession)s, version %(number)s (%(status)s)")
        % {
            "accession": version.report.order.accession_number,
            "number": version.number,
            "status": version.get_status_display(),
        },
        "images": _("Images"),
        "pictures": [],
        "page-line": _("Page {page} of {pages}"),
        "study-line": f"Study UID {study_uid}",
    }


def _compile(
    source: Path, inputs: dict[str, str], at: datetime.datetime, *, standards: list[Any]
) -> bytes:
    return typst.compile(
        source,
        root=source.parent,
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs=inputs,
        pdf_standards=standards,
        timestamp=int(at.timestamp()),
    )


def _since_last_full_text(
    earlier: Sequence[ReportVersion], version: ReportVersion
) -> list[ReportVersion]:
    """For an addendum: the text it adds to, and the addenda between."""
    if version.status != ReportVersion.Status.ADDENDUM:
        return []
    full = [i for i, one in enumerate(earlier) if one.status != ReportVersion.Status.ADDENDUM]
    return list(earlier[full[-1] :]) if full else []


def _sections(version: ReportVersion, *, since: ReportVersion) -> Rows:
    if version.status == ReportVersion.Status.ADDENDUM:
        title = _("Addendum of %(when)s") % {"when": moment(version.signed_at)}
        return [(title, _then_known_as(version, since) + version.findings)]
    parts = ((str(part.label), getattr(version, part.value)) for part in Section)
    return [(label, text) for label, text in parts if text.strip()]


def _then_known_as(version: ReportVersion, since: ReportVersion) -> str:
    """A patient renamed since the first text is named as then, too."""
    then = since.patient_header
    if all(version.patient_header.get(key) == then.get(key) for key in ("name", "identifier")):
        return ""
    return (
        _("At the time of the report: %(name)s, %(number)s")
        % {"name": then.get("name", ""), "number": then.get("identifier", "")}
        + "\n\n"
    )


def _patient(header: dict[str, str]) -> Rows:
    name = "\n".join(part for part in (header["name"], header["native_name"]) if part)
    return [
        (_("Patient"), name),
        (_("Number"), header["identifier"]),
        (_("Date of birth"), header["birth_date"] or _("not given")),
        (_("Sex"), header["sex"] or _("not given")),
    ]


def _order(order: Order) -> Rows:
    procedures = "\n".join(one.meaning for one in order.procedures.all())
    return [
        (_("Accession number"), order.accession_number),
        (_("Exam"), procedures or _("not given")),
        (_("Referrer"), str(order.referrer or _("not given"))),
        (_("Date of the exam"), _exam_date(order)),
    ]


def _exam_date(order: Order) -> str:
    dates = Study.objects.filter(procedures__order=order, study_date__isnull=False)
    first = dates.order_by("study_date").values_list("study_date", flat=True).first()
    return formats.date_format(first, "DATE_FORMAT") if first else _("not given")


def _signature(version: ReportVersion) -> str:
    words = {
        ReportVersion.Status.PRELIMINARY: _("Preliminary, by %(signer)s on %(when)s"),
        ReportVersion.Status.ADDENDUM: _("Addendum signed by %(signer)s on %(when)s"),
    }
    sentence = words.get(
        ReportVersion.Status(version.status), _("Signed electronically by %(signer)s on %(when)s")
    )
    return sentence % {"signer": version.signer, "when": moment(version.signed_at)}


def moment(at: datetime.datetime) -> str:
    """Date and time in the zone of the site, whoever asks."""
    local = timezone.localtime(at, timezone.get_default_timezone())
    return f"{formats.date_format(local, 'DATETIME_FORMAT')} {local:%Z}"


def _is_preliminary(version: ReportVersion) -> bool:
    return version.status == ReportVersion.Status.PRELIMINARY
