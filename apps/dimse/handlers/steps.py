"""Modality Performed Procedure Step: N-CREATE, N-SET, N-GET (PS3.4 F.7, F.8)."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset

from apps.dicom.dates import parse_date, parse_time
from apps.dicom.uids import new_uid, valid_uid
from apps.dimse import identifiers, messages, status
from apps.dimse.association import Request
from apps.worklist.models import PerformedStep
from apps.worklist.services.performed import (
    PerformedChanges,
    PerformedDetails,
    StepReference,
    finish_step,
    start_step,
)


def create_step(request: Request) -> None:
    """N-CREATE: the device has begun."""
    received = _received(request)
    uid = request.command.sop_instance_uid or new_uid()
    if not valid_uid(uid):
        raise status.InvalidInstanceError("Affected SOP Instance UID")
    if "PerformedProcedureStepStatus" not in received:
        raise status.MissingAttributeError("Performed Procedure Step Status")
    details = PerformedDetails(
        sop_instance_uid=uid,
        references=[_reference(item) for item in _items(received, "ScheduledStepAttributes")],
        status=_text(received, "PerformedProcedureStepStatus"),
        identifier=_text(received, "PerformedProcedureStepID"),
        ae_title=_text(received, "PerformedStationAETitle"),
        modality=_text(received, "Modality"),
        started_at=_moment(received, "PerformedProcedureStepStart"),
        device=request.association.device,
        attributes=_as_json(received),
    )
    start_step(details, origin=request.association.origin)
    request.respond(status.SUCCESS, instance=uid)


def set_step(request: Request) -> None:
    """N-SET: the device adds to its report, or ends it."""
    received = _received(request)
    reasons = _items(received, "PerformedProcedureStepDiscontinuationReasonCode")
    changes = PerformedChanges(
        status=_text(received, "PerformedProcedureStepStatus"),
        ended_at=_moment(received, "PerformedProcedureStepEnd"),
        discontinuation_code=_text(reasons[0], "CodeValue")[:16] if reasons else "",
        attributes=_as_json(received),
    )
    finish_step(_known(request), changes=changes, origin=request.association.origin)
    request.respond(status.SUCCESS)


def get_step(request: Request) -> None:
    """N-GET: what we have of a report; all of it where nothing is named."""
    performed = _known(request)
    attributes = Dataset.from_json(performed.attributes)
    attributes.PerformedProcedureStepStatus = performed.status
    wanted = request.command.text(messages.ATTRIBUTE_LIST)
    if wanted:
        tags = {int(tag, 16) for tag in wanted.split("\\")}
        chosen = [element for element in attributes if int(element.tag) in tags]
        attributes = Dataset({element.tag: element for element in chosen})
    encoded = identifiers.encode(attributes, request.context.transfer_syntax)
    request.respond(status.SUCCESS, encoded)


def _received(request: Request) -> Dataset:
    return identifiers.decode(request.data_set(), request.context.transfer_syntax)


def _known(request: Request) -> PerformedStep:
    uid = request.command.sop_instance_uid
    try:
        return PerformedStep.objects.get(sop_instance_uid=uid)
    except PerformedStep.DoesNotExist:
        raise status.NoSuchInstanceError(f"no performed step {uid}") from None


def _as_json(dataset: Dataset) -> dict[str, Any]:
    try:
        return dataset.to_json_dict()
    except Exception as error:  # noqa: BLE001 - values that do not fit their VR
        raise identifiers.UnreadableError(type(error).__name__) from None


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
