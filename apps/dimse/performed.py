"""The reports of a performed step (PS3.4 F.7.2) in the words of the worklist room."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset

from apps.dicom.dates import parse_date, parse_time
from apps.dimse.identifiers import UnreadableError
from apps.worklist.models import Device
from apps.worklist.services.performed import PerformedChanges, PerformedDetails, StepReference


def performed_details(received: Dataset, *, uid: str, device: Device) -> PerformedDetails:
    """An N-CREATE of a device; raises UnreadableError."""
    return PerformedDetails(
        sop_instance_uid=uid,
        references=[_reference(item) for item in _items(received, "ScheduledStepAttributes")],
        status=_text(received, "PerformedProcedureStepStatus"),
        identifier=_text(received, "PerformedProcedureStepID"),
        ae_title=_text(received, "PerformedStationAETitle"),
        modality=_text(received, "Modality"),
        started_at=_moment(received, "PerformedProcedureStepStart"),
        device=device,
        attributes=_as_json(received),
    )


def performed_changes(received: Dataset) -> PerformedChanges:
    """An N-SET; raises UnreadableError."""
    reasons = _items(received, "PerformedProcedureStepDiscontinuationReasonCode")
    return PerformedChanges(
        status=_text(received, "PerformedProcedureStepStatus"),
        ended_at=_moment(received, "PerformedProcedureStepEnd"),
        discontinuation_code=_text(reasons[0], "CodeValue")[:16] if reasons else "",
        attributes=_as_json(received),
    )


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
    """A date and time of the device, in the site's zone; None where not readable."""
    day = parse_date(_text(dataset, f"{name}Date"))
    moment = parse_time(_text(dataset, f"{name}Time"))
    if day is None or moment is None:
        return None
    return datetime.combine(day, moment, timezone.get_current_timezone())
