"""Which objects may name somebody in their pixels or texts, so that a person must look."""

import struct
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pydicom.uid import UID

from apps.dicom.confidentiality import Action, Option
from apps.dicom.header import WalkError, explicit
from apps.dicom.media import read_front, record_type
from apps.exports.services.gathering import Placed
from apps.studies.models import Instance
from apps.studies.services.outgoing import corrected_header

# Words kept in the rows, and what they mean.
REASONS = {
    "burned-in": _("The device says that there is text in the image."),
    "maybe-burned-in": _("Images of this kind often have text in them."),
    "screen": _("A picture of a screen: there may be names on it."),
    "document": _("A document: its text is not cleaned."),
    "report": _("A report: its text may name people."),
    "video": _("A film: there may be text in it, or a voice."),
    "overlay": _("Drawn over: there may be text in the drawing."),
    "unreadable": _("Its header cannot be read whole."),
}
# Why a preview shows that an attribute is changed.
WHY = {
    Action.REMOVE: _("It may name somebody: removed"),
    Action.EMPTY: _("It may name somebody: emptied"),
    Action.DUMMY: _("It may name somebody and must not be missing: a value for all"),
    Action.MAP: _("It leads back to this archive: another identifier, the same in all objects"),
    Action.CLEAN: _("Kept, without what may name somebody"),
    Action.KEEP: _("Kept, without words of the patient"),
}
# Modalities whose devices write into images, unless they say that they did not.
_WRITE_INTO_IMAGES = frozenset(
    {"US", "IVUS", "SC", "ES", "XC", "GM", "OT", "DX", "XA", "RF", "PX", "IO", "DOC", "SM", "OP"}
)
_SCREENS = frozenset({"SCREEN SAVE", "SCREENSAVE", "DOSE_INFO", "DOSE INFO"})


def suspicion(row: Instance, options: Iterable[Option]) -> str:
    """Why a person must look at an object, as a word of REASONS; empty: nobody must."""
    syntax = row.transfer_syntax_uid
    try:
        header = read_front(corrected_header(row), explicit_vr=explicit(syntax))
        return _kind_of_object(row) or _kind_of_image(header, frozenset(options))
    except (WalkError, struct.error, KeyError, ValueError, AttributeError, NotImplementedError):
        return "unreadable"


def suspects(
    objects: Iterable[Placed], options: Iterable[Option]
) -> Iterator[tuple[Instance, str]]:
    """Of every object whether a person must look at it, and why; empty where not."""
    chosen = frozenset(options)
    for one in objects:
        yield one.row, suspicion(one.row, chosen)


def _kind_of_object(row: Instance) -> str:
    kind = record_type(row.sop_class_uid)
    if kind == "ENCAP DOC":
        return "document"
    if kind in ("SR DOCUMENT", "KEY OBJECT DOC", "PRESENTATION"):
        return "report"
    syntax = UID(row.transfer_syntax_uid)
    return "video" if "MPEG" in syntax.name or "HEVC" in syntax.name else ""


def _kind_of_image(header: Dataset, options: frozenset[Option]) -> str:
    said = str(header.get("BurnedInAnnotation", "")).strip().upper()
    if said == "YES":
        return "burned-in"
    if Option.CLEAN_GRAPHICS in options and any(_is_overlay(tag) for tag in header.keys()):  # noqa: SIM118 - tags, no elements
        return "overlay"
    if said == "NO":
        return ""
    kinds = header.get("ImageType") or []
    values = {kinds} if isinstance(kinds, str) else {str(one).upper() for one in kinds}
    if values & _SCREENS:
        return "screen"
    modality = str(header.get("Modality", "")).strip().upper()
    keyword = UID(str(header.get("SOPClassUID", ""))).keyword
    writes = modality in _WRITE_INTO_IMAGES or "SecondaryCapture" in keyword
    return "maybe-burned-in" if writes else ""


def _is_overlay(tag: int) -> bool:
    return tag >> 16 & 0xFF00 == 0x6000 and tag & 0xFFFF == 0x3000
