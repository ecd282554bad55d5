"""Performed steps: what a device reports about an exam (MPPS, PS3.4 F.7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.names import search_form
from apps.patients.models import Patient
from apps.worklist.models import Device, PerformedStep, ScheduledStep
from apps.worklist.services.steps import WAITING, enter

Status = PerformedStep.Status
WRONG_WORKLIST_ENTRY = "110514"  # DCM, PS3.16 CID 9300
STEP_STATES = {
    Status.COMPLETED: ScheduledStep.Status.COMPLETED,
    Status.DISCONTINUED: ScheduledStep.Status.DISCONTINUED,
}
KINDS = {
    Status.COMPLETED: Kind.STEP_COMPLETED,
    Status.DISCONTINUED: Kind.STEP_DISCONTINUED,
}


class DuplicatePerformedStep(Exception):
    """There is a performed step with this SOP Instance UID already."""

    message = _("A performed step with this UID exists already.")

    def __init__(self, uid: str) -> None:
        super().__init__(f"{self.message} ({uid})")


class PerformedStepFinal(Exception):
    """A completed or discontinued performed step does not change any more."""

    message = _("The performed step is completed or discontinued and may no longer be updated.")

    def __init__(self, performed: PerformedStep) -> None:
        super().__init__(f"{self.message} ({performed.sop_instance_uid})")


class PerformedStatusInvalid(Exception):
    """A performed step begins IN PROGRESS and ends COMPLETED or DISCONTINUED."""

    message = _("The status of a performed step is not one that may be set here.")

    def __init__(self, status: str) -> None:
        super().__init__(f"{self.message} ({status})")


@dataclass(frozen=True, kw_only=True)
class StepReference:
    """One item of the Scheduled Step Attributes Sequence (0040,0270)."""

    step_identifier: str = ""
    study_instance_uid: str = ""
    accession_number: str = ""
    procedure_identifier: str = ""


@dataclass(frozen=True, kw_only=True)
class PerformedDetails:
    """An N-CREATE: `attributes` is the whole attribute list as DICOM JSON."""

    sop_instance_uid: str
    references: Sequence[StepReference] = ()
    status: str = Status.IN_PROGRESS.value
    identifier: str = ""
    ae_title: str = ""
    modality: str = ""
    started_at: datetime | None = None
    device: Device | None = None
    patient_identifier: str = ""
    patient_name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PerformedChanges:
    """An N-SET: `status` empty leaves it; `attributes` go over those that are there."""

    status: str = ""
    ended_at: datetime | None = None
    discontinuation_code: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def start_step(details: PerformedDetails, *, origin: Origin) -> PerformedStep:
    """A device has begun. Steps that it names and that wait are started.

    A device that names none of ours did something unscheduled: stored all the same. So is
    what it did to another patient than the one of the step it names.
    Raises DuplicatePerformedStep, PerformedStatusInvalid.
    """
    if details.status != Status.IN_PROGRESS:
        raise PerformedStatusInvalid(details.status)
    with transaction.atomic():
        performed, created = PerformedStep.objects.get_or_create(
            sop_instance_uid=details.sop_instance_uid, defaults=_columns(details)
        )
        if not created:
            raise DuplicatePerformedStep(details.sop_instance_uid)
        named = find_steps(details.references, modality=details.modality)
        steps = [step for step in named if _is_patient(step, details)]
        performed.scheduled_steps.set(steps)
        for step in steps:
            if step.status in WAITING:
                enter(step, ScheduledStep.Status.STARTED, origin=origin, at=performed.started_at)
        if not steps:
            why = "another patient" if named else ""
            _record_unscheduled(Kind.STEP_STARTED, performed, origin, why=why)
    return performed


def finish_step(
    performed: PerformedStep, *, changes: PerformedChanges, origin: Origin
) -> PerformedStep:
    """Take over what a device adds to its report; the final states also end the steps.

    Raises PerformedStepFinal, PerformedStatusInvalid.
    """
    with transaction.atomic():
        performed = PerformedStep.objects.select_for_update().get(pk=performed.pk)
        if performed.status != Status.IN_PROGRESS:
            raise PerformedStepFinal(performed)
        status = _wanted_status(changes)
        performed.attributes = {**performed.attributes, **changes.attributes}
        performed.discontinuation_code = changes.discontinuation_code
        performed.status = status
        if status != Status.IN_PROGRESS:
            performed.ended_at = changes.ended_at or timezone.now()
        performed.save()
        if status != Status.IN_PROGRESS:
            _end_steps(performed, status, origin)
    return performed


def find_steps(references: Iterable[StepReference], *, modality: str = "") -> list[ScheduledStep]:
    """The scheduled steps that a device means, each once; never a guess among several."""
    found: dict[int, ScheduledStep] = {}
    for reference in references:
        for step in _named(reference, modality):
            found[step.pk] = step
    return list(found.values())


def _is_patient(step: ScheduledStep, details: PerformedDetails) -> bool:
    """Is the patient of a step the one whom the device means? Yes where nothing speaks against.

    The number decides where we know it; a number that nobody has may be mistyped, so that
    then the names have to have a word in common.
    """
    patient, number = step.requested_procedure.order.patient, details.patient_identifier
    if not number:
        return True
    owners = Patient.objects.filter(identifiers__value__iexact=number)
    if owners:
        return any(patient.pk in (one.pk, one.merged_into_id) for one in owners)
    said = set(search_form(details.patient_name).split())
    known = set(search_form(patient.person_name).split())
    return not said or not known or bool(said & known)


def _named(reference: StepReference, modality: str) -> list[ScheduledStep]:
    """By step ID, else by Study UID, else by accession number where that leaves one."""
    rows = ScheduledStep.objects.select_related("requested_procedure__order__patient")
    accession = reference.accession_number
    if reference.step_identifier:
        steps = rows.filter(identifier=reference.step_identifier)
        if accession:
            # Another order's number beside our step ID: the device mixed two lines up.
            steps = steps.filter(requested_procedure__order__accession_number=accession)
        if steps:
            return list(steps)
    for wanted in _wider_keys(reference):
        steps = rows.filter(wanted)
        chosen = _the_only(steps, modality)
        if chosen is not None:
            return [chosen]
    return []


def _wider_keys(reference: StepReference) -> list[Q]:
    keys: list[Q] = []
    if reference.study_instance_uid:
        keys.append(Q(requested_procedure__study_instance_uid=reference.study_instance_uid))
    if reference.procedure_identifier:
        keys.append(Q(requested_procedure__identifier=reference.procedure_identifier))
    if reference.accession_number:
        keys.append(Q(requested_procedure__order__accession_number=reference.accession_number))
    return keys


def _the_only(steps: QuerySet[ScheduledStep], modality: str) -> ScheduledStep | None:
    """The one step meant: the only one, or the only one open, or open for this modality."""
    candidates = [step for step in steps if step.status != ScheduledStep.Status.CANCELED]
    for narrowed in (
        candidates,
        [step for step in candidates if step.status in WAITING],
        [step for step in candidates if step.status in WAITING and step.modality == modality],
    ):
        if len(narrowed) == 1:
            return narrowed[0]
    return None


def _wanted_status(changes: PerformedChanges) -> PerformedStep.Status:
    try:
        return Status(changes.status or Status.IN_PROGRESS)
    except ValueError:
        raise PerformedStatusInvalid(changes.status) from None


def _columns(details: PerformedDetails) -> dict[str, Any]:
    studies = [one.study_instance_uid for one in details.references if one.study_instance_uid]
    return {
        "device": details.device,
        "identifier": details.identifier[:16],
        "ae_title": details.ae_title[:16],
        "modality": details.modality[:16],
        "study_instance_uid": studies[0] if studies else "",
        "started_at": details.started_at or timezone.now(),
        "attributes": dict(details.attributes),
    }


def _end_steps(performed: PerformedStep, status: PerformedStep.Status, origin: Origin) -> None:
    steps = list(performed.scheduled_steps.all())
    for step in steps:
        target = _step_state(step, performed)
        if target is not None:
            enter(
                step,
                target,
                origin=origin,
                at=performed.ended_at,
                reason=performed.discontinuation_code,
            )
    if not steps:
        _record_unscheduled(KINDS[status], performed, origin)


def _step_state(step: ScheduledStep, performed: PerformedStep) -> ScheduledStep.Status | None:
    """What the end of `performed` makes of a running step: one may have several reports."""
    others = step.performed_steps.exclude(pk=performed.pk)
    if step.status != ScheduledStep.Status.STARTED or others.filter(status=Status.IN_PROGRESS):
        return None
    if others.filter(status=Status.COMPLETED):
        return ScheduledStep.Status.COMPLETED
    if performed.discontinuation_code == WRONG_WORKLIST_ENTRY:
        return ScheduledStep.Status.SCHEDULED
    return STEP_STATES[Status(performed.status)]


def _record_unscheduled(
    kind: Kind, performed: PerformedStep, origin: Origin, *, why: str = ""
) -> None:
    record(
        kind,
        performed,
        origin=origin,
        study_instance_uid=performed.study_instance_uid,
        details={"performed": performed.sop_instance_uid, **({"why": why} if why else {})},
    )
