"""Rows of the index as the DICOM JSON of a QIDO-RS answer (PS3.18 10.6.3)."""

from functools import cache
from typing import Any

from apps.studies.datasets import Attribute, Level, own_attributes
from apps.studies.models import Instance, Series, Study

Answer = dict[str, dict[str, Any]]

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def study_address(root: str, study: str) -> str:
    return f"{root}/studies/{study}"


def series_address(root: str, study: str, series: str) -> str:
    return f"{root}/studies/{study}/series/{series}"


def instance_address(root: str, study: str, series: str, instance: str) -> str:
    return f"{root}/studies/{study}/series/{series}/instances/{instance}"


def study_answer(row: Study, root: str) -> Answer:
    said = {
        "00080005": _attribute("CS", "ISO_IR 192"),
        "00080056": _attribute("CS", "ONLINE"),
        "00081190": _attribute("UR", study_address(root, row.study_instance_uid)),
    }
    return said | _indexed(Level.STUDY, row)


def series_answer(row: Series, root: str) -> Answer:
    study = row.study
    address = series_address(root, study.study_instance_uid, row.series_instance_uid)
    said = {"00081190": _attribute("UR", address)}
    return study_answer(study, root) | said | _indexed(Level.SERIES, row)


def instance_answer(row: Instance, root: str) -> Answer:
    series = row.series
    address = instance_address(
        root,
        series.study.study_instance_uid,
        series.series_instance_uid,
        row.sop_instance_uid,
    )
    said = {"00081190": _attribute("UR", address)}
    made = series_answer(series, root) | said | _indexed(Level.IMAGE, row)
    if not row.rows:
        made["00280008"] = {"vr": "IS"}  # no pixels, no frames
    return made


def _indexed(level: Level, row: Any) -> Answer:
    """What the index has of a row, in the order of the tags."""
    return {
        tag: _attribute(one.vr, one.text(getattr(row, one.column))) for tag, one in _table(level)
    }


@cache
def _table(level: Level) -> list[tuple[str, Attribute]]:
    return [(f"{tag:08X}", one) for tag, one in sorted(own_attributes(level).items())]


def _attribute(vr: str, text: str) -> dict[str, Any]:
    if not text:
        return {"vr": vr}
    if vr == "PN":
        return {"vr": vr, "Value": [_person_name(text)]}
    if vr in ("IS", "US"):
        return {"vr": vr, "Value": [int(text)]}
    return {"vr": vr, "Value": text.split("\\") if vr == "CS" else [text]}


def _person_name(name: str) -> dict[str, str]:
    groups = zip(_GROUPS, name.split("="), strict=False)
    return {group: text for group, text in groups if text}
