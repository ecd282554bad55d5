"""From the data set of a workitem to what it is found by."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from django.utils import timezone
from pydicom.datadict import dictionary_VR

from apps.dicom.dates import parse_date, parse_datetime
from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of
from apps.dicom.moments import storable
from apps.dicom.names import search_form
from apps.dicom.writing import value_text
from apps.patients.services import find_patient
from apps.workitems.attributes import text_of, values_of
from apps.workitems.models import Workitem, WorkitemKey
from apps.workitems.querysets import MOMENTS, NESTED, TEXTS

_PATHS = {name: tuple(map(tag_of, name.split("."))) for name in sorted(NESTED)}
_NAMES = frozenset(name for name in NESTED if dictionary_VR(int(_PATHS[name][-1], 16)) == "PN")


def fill_columns(workitem: Workitem) -> None:
    """Set the columns that matching compares from `attributes`; does not save."""
    said = workitem.attributes
    for name, column in TEXTS.items():
        setattr(workitem, column, text_of(said, tag_of(name)))
    zone = _zone(said)
    for name, column in MOMENTS.items():
        setattr(workitem, column, _moment(text_of(said, tag_of(name)), zone))
    workitem.birth_date = parse_date(text_of(said, tag_of("PatientBirthDate")))
    names = values_of(said, tag_of("PatientName"))
    workitem.patient_name = search_form(value_text(names[0]))[:300] if names else ""
    workitem.patient = _patient(workitem)


def fill_keys(workitem: Workitem) -> None:
    """Write the rows that matching within sequences compares anew."""
    workitem.keys.all().delete()
    WorkitemKey.objects.bulk_create(
        WorkitemKey(workitem=workitem, name=name, item=item, value=value[:300])
        for name, path in _PATHS.items()
        for item, value in _values(workitem.attributes, path, name)
    )


def _values(said: JsonDataset, path: tuple[str, ...], name: str) -> Iterator[tuple[int, str]]:
    for number, item in enumerate(values_of(said, path[0])):
        for value in _inner(item, path[1:]):
            text = search_form(value_text(value)) if name in _NAMES else value_text(value)
            if text:
                yield number, text


def _inner(item: JsonDataset, path: tuple[str, ...]) -> Iterator[Any]:
    for value in values_of(item, path[0]):
        if value is None:
            continue
        if len(path) == 1:
            yield value
        else:
            yield from _inner(value, path[1:])


def _patient(workitem: Workitem) -> Any:
    if workitem.step is not None:
        return workitem.step.requested_procedure.order.patient
    if not workitem.patient_number:
        return None
    return find_patient(value=workitem.patient_number, namespace=workitem.patient_issuer)


def _zone(said: JsonDataset) -> tzinfo:
    """That of Timezone Offset From UTC (0008,0201), else the site's."""
    offset = text_of(said, tag_of("TimezoneOffsetFromUTC"))
    moment = parse_datetime(f"20000101000000{offset}", zone=timezone.get_current_timezone())
    return (moment.tzinfo if moment else None) or timezone.get_current_timezone()


def _moment(text: str, zone: tzinfo) -> datetime | None:
    moment = parse_datetime(text, zone=zone) if text else None
    return storable(moment) if moment else None
