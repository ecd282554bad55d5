"""An exam of the department as a workitem (PS3.3 C.30, from what the worklist knows)."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.dicom.dates import format_datetime
from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of
from apps.orders.models import Order
from apps.workitems.attributes import PERFORMED, PROGRESS, REASON_CODE, code, element, tags_of
from apps.worklist.conditions import STEP_SEQUENCE
from apps.worklist.datasets import worklist_line
from apps.worklist.models import ScheduledStep

LABEL = "EXAMS"  # the worklist on which the department's exams are
LOCAL = "L"  # coding scheme of the site's own names (PS3.3 8.2)
_PRIORITIES = {"STAT": "HIGH", "HIGH": "HIGH", "LOW": "LOW"}
# DCM, PS3.16 CID 9300.
_DISCONTINUED = ("110513", "DCM", "Discontinued for unspecified reason")
_OF_PATIENT = tags_of(
    "PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence"
    " OtherPatientIDsSequence PatientBirthDate PatientSex AdmissionID MedicalAlerts"
    " PregnancyStatus SpecialNeeds StudyInstanceUID"
)
_OF_REQUEST = tags_of(
    "StudyInstanceUID AccessionNumber IssuerOfAccessionNumberSequence"
    " PlacerOrderNumberImagingServiceRequest OrderPlacerIdentifierSequence"
    " FillerOrderNumberImagingServiceRequest OrderFillerIdentifierSequence RequestedProcedureID"
    " RequestedProcedureDescription RequestedProcedureCodeSequence"
    " ReasonForTheRequestedProcedure RequestedProcedureComments ReferringPhysicianName"
    " RequestingPhysician IssueDateOfImagingServiceRequest IssueTimeOfImagingServiceRequest"
)


def exam_attributes(step: ScheduledStep) -> JsonDataset:
    """What the workitem of a step says. Reads what `with_identity` has fetched."""
    line = worklist_line(step).to_json_dict()
    planned = line[tag_of(STEP_SEQUENCE)]["Value"][0]
    said = _picked(line, _OF_PATIENT) | _picked(
        planned, tags_of("CommentsOnTheScheduledProcedureStep")
    )
    # The modality worklist leaves them out; a workitem that is there says that it is too early.
    held = step.requested_procedure.order.status == Order.Status.HELD
    texts = {
        "ScheduledProcedureStepPriority": _PRIORITIES.get(
            step.requested_procedure.order.priority, "MEDIUM"
        ),
        "ProcedureStepLabel": step.description or step.requested_procedure.meaning,
        "WorklistLabel": LABEL,
        "InputReadinessState": "INCOMPLETE" if held else "READY",
        "ScheduledProcedureStepStartDateTime": _start(step),
    }
    sequences = {
        "ReferencedRequestSequence": [_picked(line, _OF_REQUEST)],
        "ScheduledStationNameCodeSequence": _stations(step),
        "ScheduledStationClassCodeSequence": [code(step.modality, "DCM", step.modality)],
        "ScheduledStationGeographicLocationCodeSequence": _location(step),
        "ScheduledWorkitemCodeSequence": [_work(step)],
    }
    for keyword, value in texts.items():
        said[tag_of(keyword)] = element(tag_of(keyword), value)
    for keyword, items in sequences.items():
        said[tag_of(keyword)] = element(tag_of(keyword), *items)
    return said | _performed(step)


def _picked(dataset: JsonDataset, tags: tuple[str, ...]) -> JsonDataset:
    return {tag: _bare(dataset[tag]) for tag in tags if tag in dataset}


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    """An attribute without an empty list of values, which says nothing."""
    return found if found.get("Value") else {"vr": found["vr"]}


def _start(step: ScheduledStep) -> str:
    return _moment(step.starts_at or step.requested_procedure.order.requested_at)


def _moment(at: datetime) -> str:
    return format_datetime(timezone.localtime(at).replace(microsecond=0))


def _stations(step: ScheduledStep) -> list[JsonDataset]:
    return [code(device.ae_title, LOCAL, device.name) for device in step.devices.all()]


def _location(step: ScheduledStep) -> list[JsonDataset]:
    return [code(step.location, LOCAL, step.location)] if step.location else []


def _work(step: ScheduledStep) -> JsonDataset:
    if step.protocol_code:
        return code(step.protocol_code, step.protocol_scheme, step.protocol_meaning)
    requested = step.requested_procedure
    return code(requested.code, requested.scheme, requested.meaning)


def _performed(step: ScheduledStep) -> JsonDataset:
    """What became of it: empty while it waits."""
    said = {PERFORMED: element(PERFORMED)}
    if step.started_at is not None:
        said[PERFORMED] = element(PERFORMED, _performed_item(step, step.started_at))
    if step.status in {ScheduledStep.Status.DISCONTINUED, ScheduledStep.Status.CANCELED}:
        ended = tag_of("ProcedureStepCancellationDateTime")
        item = {REASON_CODE: element(REASON_CODE, code(*_DISCONTINUED))}
        if step.ended_at is not None:
            item[ended] = element(ended, _moment(step.ended_at))
        said[PROGRESS] = element(PROGRESS, dict(sorted(item.items())))
    return said


def _performed_item(step: ScheduledStep, started_at: datetime) -> JsonDataset:
    titles = sorted({one.ae_title for one in step.performed_steps.all() if one.ae_title})
    stations = [code(title, LOCAL, title) for title in titles] or _stations(step)
    values: dict[str, list[Any]] = {
        "PerformedStationNameCodeSequence": stations,
        "PerformedProcedureStepStartDateTime": [_moment(started_at)],
        "PerformedWorkitemCodeSequence": [_work(step)],
        "OutputInformationSequence": [],
    }
    if step.ended_at is not None:
        values["PerformedProcedureStepEndDateTime"] = [_moment(step.ended_at)]
    made = {tag_of(keyword): element(tag_of(keyword), *found) for keyword, found in values.items()}
    return dict(sorted(made.items()))
