"""The documents of a study: what stands beside its images, each with an address to read it.

Reports, key images, presentation states, PDF and clinical documents come from the archive;
signed versions of our own reports stand among them. Waveforms are left to the viewer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.dicom.json import JsonDataset
from apps.dicom.structured_report import person, readable_date, readable_time
from apps.reports.models import ReportVersion
from apps.studies.models import Instance, Study
from apps.studies.services import note_viewing
from apps.studies.services.forms import Form, form_of
from apps.studies.services.outgoing import header_json
from apps.studies.services.presenting import is_applied
from apps.viewer.lookup import seen_study

MOST_LISTED = 200
_FAMILIES = ("88", "11", "104")  # reports, presentation states, encapsulated documents
_CLASSES = "1.2.840.10008.5.1.4.1.1."
_KINDS = {
    "88.59": gettext_lazy("Key images"),
    "88.67": gettext_lazy("Dose report"),
    "88.76": gettext_lazy("Dose report"),
    "88.68": gettext_lazy("Dose report"),
    "88.50": gettext_lazy("Mammography CAD"),
    "88.65": gettext_lazy("Chest CAD"),
    "104.1": gettext_lazy("PDF"),
    "104.2": gettext_lazy("Clinical document"),
}
_FAMILY_KINDS = {
    "88": gettext_lazy("Structured report"),
    "11": gettext_lazy("Presentation state"),
    "104": gettext_lazy("File"),
}
# Title, day, time and author of each: the first of them that is there.
_TITLES = ("00420010", "00700081", "00700080", "0040A043")
_DAYS = ("00700082", "00080023", "00080012")
_TIMES = ("00700083", "00080033", "00080013")
_AUTHORS = ("00700084", "0040A073", "0040A078")
_PERSONS = ("0040A075", "0040A123")
_SERIES_DESCRIPTION = "0008103E"
_WANTED = frozenset(
    int(tag, 16) for tag in (*_TITLES, *_DAYS, *_TIMES, *_AUTHORS, _SERIES_DESCRIPTION)
)


@dataclass(frozen=True)
class Document:
    """One line of the list. `show` says how `address` is to be opened.

    "page": in a frame without rights; "pdf": in a frame; "file": only to be downloaded.
    `metadata` is the address of what a presentation state says, where it can be applied.
    """

    kind: str
    title: str
    when: str
    author: str
    address: str
    show: str
    metadata: str = ""


def documents_facts(_request: HttpRequest) -> dict[str, Any]:
    """What the viewer needs for its panel; in `list` the UID of a study goes for `UID`."""
    return {
        "list": reverse("viewer:documents", args=["UID"]),
        "styles": static("css/viewer-documents.css"),
        "words": {
            "documents": _("Documents"),
            "close": _("Close the document"),
            "window": _("In its own window"),
            "failed": _("The documents could not be listed."),
            "partly": _("Without its tables of grey values: its page shows those."),
            "absent": _("The images of this presentation state are not open here."),
        },
    }


@require_safe
@never_cache
def documents(request: HttpRequest, study_instance_uid: str) -> HttpResponse:
    """The list, as a fragment for pages and for the viewer's panel."""
    study = seen_study(request, study_instance_uid)
    note_viewing(study, origin=origin_of(request))
    listed = [*signed_versions(request, study), *stored_documents(study)]
    return render(request, "viewer/_documents.html", {"study": study, "documents": listed})


def stored_documents(study: Study) -> Iterator[Document]:
    """What of the study's objects is read rather than looked at, in its order."""
    families = [Q(sop_class_uid__startswith=f"{_CLASSES}{one}.") for one in _FAMILIES]
    rows = Instance.objects.filter(families[0] | families[1] | families[2], series__study=study)
    ordered = rows.select_related("series__study").order_by("series__number", "number", "id")
    for row in ordered[:MOST_LISTED]:
        yield _stored(row)


def signed_versions(request: HttpRequest, study: Study) -> list[Document]:
    """The versions of our reports on the study that the user may read, the newest first."""
    versions = visible(request.user, ReportVersion).filter(report__order__procedures__studies=study)
    ordered = versions.distinct().select_related("signer").defer("pdf").order_by("-signed_at")
    return [
        Document(
            kind=_("%(status)s report") % {"status": one.get_status_display()},
            title=_("Version %(number)s") % {"number": one.number},
            when=formats.date_format(timezone.localtime(one.signed_at), "SHORT_DATETIME_FORMAT"),
            author=str(one.signer),
            address=reverse("reports:pdf", args=[one.report_id, one.number]),
            show="pdf",
        )
        for one in ordered
    ]


def _stored(row: Instance) -> Document:
    header = header_json(row, lambda path: path, _WANTED)
    form, kind = form_of(row), _kind(row)
    title = _first(header, _TITLES, _text) or _first(header, (_SERIES_DESCRIPTION,), _text)
    day, time = (_first(header, tags, _text) for tags in (_DAYS, _TIMES))
    is_file = form == Form.NOTHING
    applied = form == Form.PRESENTATION and is_applied(row)
    return Document(
        kind=kind,
        title=title or kind,
        when=f"{readable_date(day)} {readable_time(time)}".strip(),
        author=person(_first(header, _AUTHORS, _name)),
        address=_address(row, "bulk-data", "00420011") if is_file else _address(row, "rendered"),
        show={Form.PDF: "pdf", Form.NOTHING: "file"}.get(form, "page"),
        metadata=_address(row, "instance-metadata") if applied else "",
    )


def _kind(row: Instance) -> str:
    number = row.sop_class_uid.removeprefix(_CLASSES)
    return str(_KINDS.get(number) or _FAMILY_KINDS[number.partition(".")[0]])


def _address(row: Instance, name: str, *more: str) -> str:
    """In DICOMweb, a room above this one: known by name only."""
    series = row.series
    uids = (series.study.study_instance_uid, series.series_instance_uid, row.sop_instance_uid)
    try:
        return reverse(f"dicomweb:{name}", args=[*uids, *more])
    except NoReverseMatch:
        return ""


def _first(header: JsonDataset, tags: tuple[str, ...], read: Callable[[Any], str]) -> str:
    """The first of the attributes that has something to read."""
    values = (next(iter(header.get(tag, {}).get("Value") or []), None) for tag in tags)
    return next((text for value in values if value and (text := read(value))), "")


def _text(value: Any) -> str:
    """Text as it is; of a code what it means."""
    if isinstance(value, dict):
        return _first(value, ("00080104", "00080100"), _text)
    return str(value).strip()


def _name(value: Any) -> str:
    """A person's name, given itself or within an item about the person."""
    if isinstance(value, dict) and "Alphabetic" in value:
        return str(value["Alphabetic"])
    return _first(value, _PERSONS, _name) if isinstance(value, dict) else ""
