"""Scheduled steps: planned, started, ended, taken off the worklist."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.orders.models import Order, RequestedProcedure
from apps.orders.services import advance_order
from apps.scheduling.models import Appointment
from apps.scheduling.services import fulfil
from apps.worklist.models import Device, ScheduledStep

Status = ScheduledStep.Status
WAITING = frozenset({Status.SCHEDULED, Status.ARRIVED, Status.READY})
ENDED = frozenset({Status.COMPLETED, Status.DISCONTINUED, Status.CANCELED})
# From where each state may be entered.
ALLOWED: dict[ScheduledStep.Status, frozenset[ScheduledStep.Status]] = {
    Status.STARTED: WAITING,
    Status.COMPLETED: WAITING | {Status.STARTED},
    Status.DISCONTINUED: WAITING | {Status.STARTED},
    Status.CANCELED: WAITING,
    Status.SCHEDULED: frozenset({Status.STARTED}),
}
KINDS = {
    Status.STARTED: Kind.STEP_STARTED,
    Status.COMPLETED: Kind.STEP_COMPLETED,
    Status.DISCONTINUED: Kind.STEP_DISCONTINUED,
    Status.CANCELED: Kind.STEP_CANCELLED,
    # Back on the worklist: the device says that the wrong line was picked.
    Status.SCHEDULED: Kind.STEP_DISCONTINUED,
}


class StepStateRefused(Exception):
    """The step is not in a state that allows this."""

    message = _("The step cannot be changed in this way: its state does not allow it.")

    def __init__(self, step: ScheduledStep) -> None:
        super().__init__(f"{self.message} ({step.identifier}, {step.get_status_display()})")


class StepWithoutModality(Exception):
    """Neither the request nor the catalogue says which modality does it."""

    message = _("The step needs a modality.")

    def __init__(self) -> None:
        super().__init__(str(self.message))


@dataclass(frozen=True, kw_only=True)
class StepDetails:
    """What a step is about; what is empty comes from the catalogue and the only device."""

    identifier: str = ""
    modality: str = ""
    description: str = ""
    protocol_code: str = ""
    protocol_scheme: str = ""
    protocol_meaning: str = ""
    performing_physician: str = ""
    station_name: str = ""
    location: str = ""
    premedication: str = ""
    contrast_agent: str = ""
    comments: str = ""


NO_DETAILS = StepDetails()


def schedule_step(
    requested_procedure: RequestedProcedure,
    *,
    devices: Iterable[Device],
    starts_at: datetime | None,
    origin: Origin,
    appointment: Appointment | None = None,
    details: StepDetails = NO_DETAILS,
) -> ScheduledStep:
    """Put one step on the worklist of `devices`; `starts_at` None: whenever it suits."""
    chosen = list(devices)
    with transaction.atomic():
        step = _new_step(requested_procedure, chosen, details)
        step.appointment = appointment
        step.starts_at = starts_at
        step.identifier = details.identifier or uuid.uuid4().hex[:16]
        step.save()
        if not details.identifier:
            step.identifier = f"SPS{step.pk}"
            step.save(update_fields=["identifier"])
        step.devices.set(chosen)
        if requested_procedure.order.status == Order.Status.REQUESTED:
            advance_order(requested_procedure.order, to=Order.Status.SCHEDULED, origin=origin)
        record_step(Kind.STEP_SCHEDULED, step, origin=origin)
    return step


def start_by_hand(step: ScheduledStep, *, origin: Origin) -> ScheduledStep:
    """The technologist starts the exam: for devices that report nothing."""
    with transaction.atomic():
        return enter(step, Status.STARTED, origin=origin)


def complete_by_hand(step: ScheduledStep, *, origin: Origin) -> ScheduledStep:
    """The technologist ends the exam: for devices that report nothing."""
    with transaction.atomic():
        return enter(step, Status.COMPLETED, origin=origin)


def discontinue_by_hand(step: ScheduledStep, *, reason: str, origin: Origin) -> ScheduledStep:
    """The exam was broken off."""
    with transaction.atomic():
        return enter(step, Status.DISCONTINUED, origin=origin, reason=reason)


def cancel_step(step: ScheduledStep, *, reason: str, origin: Origin) -> ScheduledStep:
    """Take a step off the worklist that has not been started."""
    with transaction.atomic():
        return enter(step, Status.CANCELED, origin=origin, reason=reason)


def enter(
    step: ScheduledStep,
    status: ScheduledStep.Status,
    *,
    origin: Origin,
    at: datetime | None = None,
    reason: str = "",
) -> ScheduledStep:
    """Move one step to `status` in the caller's transaction, its order after it.

    `at` is when it happened (None: now). Raises StepStateRefused.
    """
    step = locked(step)
    if step.status not in ALLOWED[status]:
        raise StepStateRefused(step)
    step.status = status
    _stamp(step, at or timezone.now())
    step.save(update_fields=["status", "started_at", "ended_at"])
    settle_order(step.requested_procedure.order, origin=origin)
    settle_appointment(step)
    record_step(KINDS[status], step, origin=origin, reason=reason)
    return step


def locked(step: ScheduledStep) -> ScheduledStep:
    """The step as it is now, held until the end of the transaction."""
    rows = ScheduledStep.objects.select_for_update(of=("self",))
    return rows.select_related("requested_procedure__order").get(pk=step.pk)


def settle_order(order: Order, *, origin: Origin) -> None:
    """Let the order follow its steps: running, performed, discontinued or waiting again."""
    target = _order_status(order)
    if target is not None and target != order.status:
        advance_order(order, to=target, origin=origin)


def settle_appointment(step: ScheduledStep) -> None:
    """The appointment is kept once its last step is over."""
    over = step.status in {Status.COMPLETED, Status.DISCONTINUED} and step.appointment
    if over and not over.steps.exclude(status__in=ENDED).exists():
        fulfil(over)


def record_step(kind: Kind, step: ScheduledStep, *, origin: Origin, reason: str = "") -> None:
    """One journal row about a step."""
    procedure = step.requested_procedure
    details = {"step": step.identifier}
    if reason:
        details["reason"] = reason
    record(
        kind,
        step,
        origin=origin,
        patient_id=procedure.order.patient_id,
        accession_number=procedure.order.accession_number,
        study_instance_uid=procedure.study_instance_uid,
        details=details,
    )


def _new_step(
    requested: RequestedProcedure, devices: list[Device], details: StepDetails
) -> ScheduledStep:
    catalogue = requested.procedure
    only = devices[0] if len(devices) == 1 else None
    modality = details.modality or catalogue.modality or (only.modality if only else "")
    if not modality:
        raise StepWithoutModality
    protocol = details.protocol_code or catalogue.protocol_code
    return ScheduledStep(
        requested_procedure=requested,
        modality=modality,
        description=details.description or requested.meaning,
        protocol_code=protocol,
        protocol_scheme=details.protocol_scheme or (catalogue.scheme if protocol else ""),
        protocol_meaning=details.protocol_meaning or catalogue.protocol_meaning,
        performing_physician=details.performing_physician,
        station_name=details.station_name or (only.station_name if only else ""),
        location=details.location,
        premedication=details.premedication,
        contrast_agent=details.contrast_agent or catalogue.contrast_agent,
        comments=details.comments,
    )


def _stamp(step: ScheduledStep, at: datetime) -> None:
    """Set the times that the new status asks for."""
    if step.status == Status.SCHEDULED:
        step.started_at = None
    elif step.status in {Status.STARTED, Status.COMPLETED}:
        step.started_at = step.started_at or at
    if step.status in {Status.COMPLETED, Status.DISCONTINUED}:
        step.ended_at = at


def _order_status(order: Order) -> Order.Status | None:
    """The state the steps ask for; None where they ask for nothing."""
    if order.status not in {
        Order.Status.REQUESTED,
        Order.Status.SCHEDULED,
        Order.Status.IN_PROGRESS,
    }:
        return None
    steps = ScheduledStep.objects.filter(requested_procedure__order=order)
    found = set(steps.values_list("status", flat=True)) - {Status.CANCELED.value}
    if not found:
        return None
    if Status.STARTED in found:
        return Order.Status.IN_PROGRESS
    if found & WAITING:
        return Order.Status.IN_PROGRESS if found & ENDED else Order.Status.SCHEDULED
    done = Status.COMPLETED in found
    return Order.Status.PERFORMED if done else Order.Status.DISCONTINUED
