"""What the index knows of patients, studies, series and instances, in the words of DICOM.

One table for every answer: C-FIND writes it as elements, QIDO-RS as JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from apps.dicom.dates import format_date, format_time


class Level(StrEnum):
    """Query/Retrieve Level (0008,0052), PS3.4 C.6.1.1, from the top."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"

    @property
    def above(self) -> "tuple[Level, ...]":
        levels = tuple(Level)
        return levels[: levels.index(self)]


# The key that names one of a level (PS3.4 C.6.1.1.2 and following).
UNIQUE_KEYS: Mapping[Level, str] = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Attribute:
    """One attribute of the index: where it stands, and its value as text, `\\` between values."""

    vr: str
    column: str
    text: Callable[[Any], str] = str


def _modalities(column: str) -> str:
    return column.strip("\\")


_PATIENT: Mapping[int, Attribute] = {
    0x00100010: Attribute("PN", "patient_name"),
    0x00100020: Attribute("LO", "patient_identifier"),
    0x00100021: Attribute("LO", "patient_identifier_issuer"),
    0x00100030: Attribute("DA", "patient_birth_date"),
    0x00100040: Attribute("CS", "patient_sex"),
}
# A patient is a group of studies: these are the columns of `StudyQuerySet.patients`.
_PATIENT_GROUP: Mapping[int, Attribute] = {
    **_PATIENT,
    0x00100010: Attribute("PN", "any_name"),
    0x00100030: Attribute("DA", "any_birth_date"),
    0x00100040: Attribute("CS", "any_sex"),
}
_STUDY: Mapping[int, Attribute] = {
    0x00080020: Attribute("DA", "study_date", format_date),
    0x00080030: Attribute("TM", "study_time", format_time),
    0x00080050: Attribute("SH", "accession_number"),
    0x00080061: Attribute("CS", "modalities", _modalities),
    0x00080090: Attribute("PN", "referring_physician"),
    0x00080201: Attribute("SH", "time_zone"),
    0x00081030: Attribute("LO", "description"),
    0x0020000D: Attribute("UI", "study_instance_uid"),
    0x00200010: Attribute("SH", "study_id"),
    0x00201206: Attribute("IS", "series_count", _number),
    0x00201208: Attribute("IS", "instance_count", _number),
}
_SERIES: Mapping[int, Attribute] = {
    0x00080021: Attribute("DA", "series_date", format_date),
    0x00080031: Attribute("TM", "series_time", format_time),
    0x00080060: Attribute("CS", "modality"),
    0x00081010: Attribute("SH", "station_name"),
    0x0008103E: Attribute("LO", "description"),
    0x00180015: Attribute("CS", "body_part"),
    0x00181030: Attribute("LO", "protocol_name"),
    0x0020000E: Attribute("UI", "series_instance_uid"),
    0x00200011: Attribute("IS", "number", _number),
    0x00200060: Attribute("CS", "laterality"),
    0x00201209: Attribute("IS", "instance_count", _number),
    0x00400244: Attribute("DA", "performed_step_start", lambda start: start[:8]),
    0x00400245: Attribute("TM", "performed_step_start", lambda start: start[8:]),
}
_IMAGE: Mapping[int, Attribute] = {
    0x00080016: Attribute("UI", "sop_class_uid"),
    0x00080018: Attribute("UI", "sop_instance_uid"),
    0x00083002: Attribute("UI", "transfer_syntax_uid"),
    0x00200013: Attribute("IS", "number", _number),
    0x00280008: Attribute("IS", "frames", _number),
    0x00280010: Attribute("US", "rows", _number),
    0x00280011: Attribute("US", "columns", _number),
    0x00280100: Attribute("US", "bits_allocated", _number),
}
_OWN = {
    Level.PATIENT: _PATIENT_GROUP,
    Level.STUDY: {**_PATIENT, **_STUDY},
    Level.SERIES: _SERIES,
    Level.IMAGE: _IMAGE,
}
# What is counted or collected for a page of answers together, not for each.
PATIENT_COUNTS: Mapping[int, int] = {0x00201200: 0, 0x00201202: 1, 0x00201204: 2}
CLASSES_IN_STUDY = 0x00080062


@cache
def attributes(level: Level) -> Mapping[int, Attribute]:
    """Every attribute the index has for a level, columns as seen from its rows."""
    known = dict(_OWN[level])
    if level is Level.SERIES:
        known |= _prefixed(_OWN[Level.STUDY], "study__")
    elif level is Level.IMAGE:
        known |= _prefixed(_SERIES, "series__")
        known |= _prefixed(_OWN[Level.STUDY], "series__study__")
    return known


@cache
def below(level: Level) -> frozenset[int]:
    """Attributes of lower levels: many values for one answer, so none is given."""
    lower = [tags for one, tags in _OWN.items() if level in one.above]
    return frozenset(tag for tags in lower for tag in tags if tag not in attributes(level))


def _prefixed(known: Mapping[int, Attribute], prefix: str) -> dict[int, Attribute]:
    return {tag: replace(one, column=prefix + one.column) for tag, one in known.items()}
