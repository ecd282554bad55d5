"""The columns of the index that copy attributes, and what they show under corrections."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import zstandard

from apps.dicom.amending import Change, text_of
from apps.dicom.dates import parse_date, parse_time, partial_da
from apps.dicom.header import explicit
from apps.dicom.json import to_json
from apps.dicom.names import search_form
from apps.studies.models import Correction, Instance, Series, Study

LOOKED_AT = 200  # instances in which an attribute is looked for before it counts as absent

Reader = Callable[[str], Any]


def _number(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if abs(number) < 2**31 else None


STUDY_COLUMNS: dict[str, tuple[str, Reader]] = {
    "00080020": ("study_date", parse_date),
    "00080030": ("study_time", parse_time),
    "00080050": ("accession_number", str),
    "00080090": ("referring_physician", str),
    "00080201": ("time_zone", str),
    "00081030": ("description", str),
    "00100010": ("patient_name", str),
    "00100020": ("patient_identifier", str),
    "00100021": ("patient_identifier_issuer", str),
    "00100030": ("patient_birth_date", partial_da),
    "00100040": ("patient_sex", str),
    "00200010": ("study_id", str),
}
SERIES_COLUMNS: dict[str, tuple[str, Reader]] = {
    "00080021": ("series_date", parse_date),
    "00080031": ("series_time", parse_time),
    "00080060": ("modality", str),
    "00081010": ("station_name", str),
    "0008103E": ("description", str),
    "00180015": ("body_part", str),
    "00181030": ("protocol_name", str),
    "00200011": ("number", _number),
    "00200060": ("laterality", str),
}


def is_column(path: str) -> bool:
    """Does the index show this attribute of a study?"""
    return path in STUDY_COLUMNS


def as_sent(
    study: Study,
    change: Change,
    series: Series | None = None,
    instance: Instance | None = None,
) -> list[Any] | None:
    """The value that the files say: the first that is not empty; None where none has it."""
    found: list[Any] | None = None
    for header in _headers(study, series, instance):
        value = value_at(header, change.path)
        if value:
            return value
        found = value if found is None else found
    return found


def show_corrections(
    study: Study,
    series: Sequence[Series],
    rows: Sequence[Correction],
    paths: Sequence[str],
    *,
    only_corrected: bool,
) -> None:
    """Set the columns of some attributes to what is shown now, in memory."""
    for path in set(paths):
        concerned: list[Study] | list[Series] = []
        if path in STUDY_COLUMNS:
            concerned = [study]
        elif path in SERIES_COLUMNS:
            concerned = list(series)
        for one in concerned:
            correction = _newest(rows, path, one if isinstance(one, Series) else None)
            if correction or not only_corrected:
                _show(one, correction, study, path)
    study.patient_search_name = search_form(study.patient_name)[:324]
    if "00080060" in paths:
        study.modalities = joined_modalities([one.modality for one in series])


def joined_modalities(modalities: Sequence[str]) -> str:
    known = sorted({one for one in modalities if one})
    return ("\\" + "\\".join(known) + "\\")[:128] if known else ""


def _newest(
    rows: Sequence[Correction], path: str, series: Series | None = None
) -> Correction | None:
    fitting = [
        one
        for one in rows
        if one.path == path
        and one.instance_id is None
        and one.series_id in (None, series.pk if series else None)
    ]
    return fitting[-1] if fitting else None


def _show(row: Study | Series, correction: Correction | None, study: Study, path: str) -> None:
    series = row if isinstance(row, Series) else None
    name, read = SERIES_COLUMNS[path] if series else STUDY_COLUMNS[path]
    values = correction.new if correction else as_sent(study, Change(path, "", []), series)
    value = read(text_of(values))
    if isinstance(value, str):
        value = value[: getattr(row._meta.get_field(name), "max_length", None)]
    setattr(row, name, value)


def _headers(
    study: Study, series: Series | None, instance: Instance | None
) -> Iterator[dict[str, Any]]:
    rows = Instance.everything.filter(series__study=study).order_by("id")
    if instance:
        rows = rows.filter(pk=instance.pk)
    elif series:
        rows = rows.filter(series=series)
    wanted = rows.values_list("header", "transfer_syntax_uid")[:LOOKED_AT]
    for header, syntax in wanted.iterator(chunk_size=20):
        yield to_json(
            zstandard.decompress(header), explicit_vr=explicit(syntax), bulk_uri=lambda _path: ""
        )


def value_at(header: dict[str, Any], path: str) -> list[Any] | None:
    """The value at a path of DICOM JSON; None where there is no such attribute."""
    top, *below = path.split("/")
    element = header.get(top)
    if below and element:
        items = element.get("Value", [])
        number = int(below[0])
        element = items[number].get(below[1]) if number < len(items) else None
    return None if element is None else list(element.get("Value", []))
