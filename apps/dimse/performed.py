"""The reports of a performed step (PS3.4 F.7.2) in the words of the worklist room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset

from apps.dicom.dates import parse_date, parse_time
from apps.dicom.uids import valid_uid
from apps.dimse.identifiers import UnreadableError
from apps.dimse.status import InvalidValueError, MissingAttributeError, MissingValueError
from apps.worklist.models import Device
from apps.worklist.services.performed import PerformedChanges, PerformedDetails, StepReference

# Type 1 in an N-CREATE (PS3.4 table F.7.2-1).
_REQUIRED = (
    "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepStatus",
    "Modality",
)


def performed_details(received: Dataset, *, uid: str, device: Device) -> PerformedDetails:
    """An N-CREATE of a device.

    Raises MissingAttributeError, MissingValueError, InvalidValueError, UnreadableError.
    """
    _check_required(received, _REQUIRED)
    for item in _items(received, "ScheduledStepAttributes"):
        _check_required(item, ("StudyInstanceUID",))
        _check_uids(item, "StudyInstanceUID")
    return PerformedDetails(
        sop_instance_uid=uid,
        references=[_reference(item) for item in _items(received, "ScheduledStepAttributes")],
        status=_text(received, "PerformedProcedureStepStatus"),
        identifier=_text(received, "PerformedProcedureStepID"),
        ae_title=_text(received, "PerformedStationAETitle"),
        modality=_text(received, "Modality"),
        started_at=_moment(received, "PerformedProcedureStepStart"),
        device=device,
        patient_identifier=_text(received, "PatientID"),
        patient_name=_text(received, "PatientName"),
        attributes=_as_json(received),
    )


def performed_changes(received: Dataset) -> PerformedChanges:
    """An N-SET; raises InvalidValueError, UnreadableError.

    What ends a step may leave out when it did (many devices do): then it ended now.
    """
    for item in _items(received, "PerformedSeries"):
        _check_uids(item, "SeriesInstanceUID")
    reasons = _items(received, "PerformedProcedureStepDiscontinuationReasonCode")
    return PerformedChanges(
        status=_text(received, "PerformedProcedureStepStatus"),
        ended_at=_moment(received, "PerformedProcedureStepEnd"),
        discontinuation_code=_text(reasons[0], "CodeValue")[:16] if reasons else "",
        attributes=_as_json(received),
    )


def _check_required(dataset: Dataset, keywords: Sequence[str]) -> None:
    for keyword in keywords:
        if keyword not in dataset:
            raise MissingAttributeError(keyword)
        if not dataset[keyword].value:
            raise MissingValueError(keyword)


def _check_uids(item: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        uid = _text(item, keyword)
        if uid and not valid_uid(uid):
            raise InvalidValueError(keyword)


def _as_json(dataset: Dataset) -> dict[str, Any]:
    try:
        return dataset.to_json_dict()
    except Exception as error:  # noqa: BLE001 - values that do not fit their VR
        raise UnreadableError(type(error).__name__) from None


def _reference(item: Dataset) -> StepReference:
    return StepReference(
        step_identifier=_text(item, "ScheduledProcedureStepID"),
        study_instance_uid=_text(item, "StudyInstanceUID"),
        accession_number=_text(item, "AccessionNumber"),
        procedure_identifier=_text(item, "RequestedProcedureID"),
    )


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    return list(dataset.get(f"{name}Sequence") or [])


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip(" \0")


def _moment(dataset: Dataset, name: str) -> datetime | None:
    """A date and time of the device, in the site's zone; None where it says none."""
    said_day, said_moment = _text(dataset, f"{name}Date"), _text(dataset, f"{name}Time")
    if not said_day or not said_moment:
        return None
    day, moment = parse_date(said_day), parse_time(said_moment)
    if day is None or moment is None:
        raise InvalidValueError(f"{name}Date, {name}Time")
    return datetime.combine(day, moment, timezone.get_current_timezone())
