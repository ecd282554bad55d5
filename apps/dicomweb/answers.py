"""Rows of the index as the DICOM JSON of a QIDO-RS answer (PS3.18 10.6.3)."""

from typing import Any

from apps.dicom.dates import format_date, format_time
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
    return _attributes(
        ("00080005", "CS", "ISO_IR 192"),
        ("00080020", "DA", format_date(row.study_date)),
        ("00080030", "TM", format_time(row.study_time)),
        ("00080050", "SH", row.accession_number),
        ("00080056", "CS", "ONLINE"),
        ("00080061", "CS", row.modality_list),
        ("00080090", "PN", row.referring_physician),
        ("00081030", "LO", row.description),
        ("00081190", "UR", study_address(root, row.study_instance_uid)),
        ("00100010", "PN", row.patient_name),
        ("00100020", "LO", row.patient_identifier),
        ("00100021", "LO", row.patient_identifier_issuer),
        ("00100030", "DA", row.patient_birth_date),
        ("00100040", "CS", row.patient_sex),
        ("0020000D", "UI", row.study_instance_uid),
        ("00200010", "SH", row.study_id),
        ("00201206", "IS", row.series_count),
        ("00201208", "IS", row.instance_count),
    )


def series_answer(row: Series, root: str) -> Answer:
    start = row.performed_step_start
    study = row.study.study_instance_uid
    return study_answer(row.study, root) | _attributes(
        ("00080021", "DA", format_date(row.series_date)),
        ("00080031", "TM", format_time(row.series_time)),
        ("00080060", "CS", row.modality),
        ("00081010", "SH", row.station_name),
        ("0008103E", "LO", row.description),
        ("00081190", "UR", series_address(root, study, row.series_instance_uid)),
        ("00180015", "CS", row.body_part),
        ("00181030", "LO", row.protocol_name),
        ("0020000E", "UI", row.series_instance_uid),
        ("00200011", "IS", row.number),
        ("00200060", "CS", row.laterality),
        ("00201209", "IS", row.instance_count),
        ("00400244", "DA", start[:8]),
        ("00400245", "TM", start[8:]),
    )


def instance_answer(row: Instance, root: str) -> Answer:
    series = row.series
    address = instance_address(
        root,
        series.study.study_instance_uid,
        series.series_instance_uid,
        row.sop_instance_uid,
    )
    return series_answer(series, root) | _attributes(
        ("00080016", "UI", row.sop_class_uid),
        ("00080018", "UI", row.sop_instance_uid),
        ("00081190", "UR", address),
        ("00083002", "UI", row.transfer_syntax_uid),
        ("00200013", "IS", row.number),
        ("00280008", "IS", row.frames if row.rows else None),
        ("00280010", "US", row.rows),
        ("00280011", "US", row.columns),
    )


def _attributes(*entries: tuple[str, str, Any]) -> Answer:
    return {tag: _attribute(vr, value) for tag, vr, value in entries}


def _attribute(vr: str, value: Any) -> dict[str, Any]:
    if value is None or value in ("", []):
        return {"vr": vr}
    values = value if isinstance(value, list) else [value]
    if vr == "PN":
        values = [_person_name(one) for one in values]
    return {"vr": vr, "Value": values}


def _person_name(name: str) -> dict[str, str]:
    groups = zip(_GROUPS, name.split("="), strict=False)
    return {group: text for group, text in groups if text}
