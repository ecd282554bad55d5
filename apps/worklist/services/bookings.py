"""Rooms and worklist together: what is booked is what the devices are told to do."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.services import Origin
from apps.orders.models import Order, RequestedProcedure
from apps.orders.services import (
    OrderDetails,
    Request,
    advance_order,
    cancel_order,
    place_order,
)
from apps.patients.models import Patient
from apps.scheduling import services as scheduling
from apps.scheduling.models import Appointment, Resource
from apps.worklist.models import Device, ScheduledStep
from apps.worklist.services.steps import WAITING, StepDetails, cancel_step, schedule_step


class BookingStarted(scheduling.BookingRefused):
    """The exam has begun: the appointment stays where it is."""

    def __init__(self) -> None:
        super().__init__(_("The exam has begun; the appointment cannot be changed any more."))


class AlreadyScheduled(scheduling.BookingRefused):
    """The order has its appointment; it can be moved."""

    def __init__(self, appointment: Appointment) -> None:
        self.appointment = appointment
        super().__init__(_("This order has an appointment already; move that one."))


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A room and a time; `arrived` where the patient stands at the desk (walk-in)."""

    resource: Resource
    starts_at: datetime.datetime
    overbook: bool = False
    arrived: bool = False


def place_and_schedule(
    patient: Patient,
    *,
    requests: Sequence[Request],
    details: OrderDetails,
    visit: Visit,
    origin: Origin,
) -> Order:
    """Order and appointment in one: where the room is refused nothing is ordered either."""
    with transaction.atomic():
        order = place_order(patient, requests=requests, details=details, origin=origin)
        schedule_visit(order, visit=visit, origin=origin)
    return order


def schedule_visit(order: Order, *, visit: Visit, origin: Origin) -> Appointment:
    """As `schedule_order`, and arrived at once where the patient is here."""
    with transaction.atomic():
        appointment = schedule_order(
            order,
            resource=visit.resource,
            starts_at=visit.starts_at,
            origin=origin,
            overbook=visit.overbook,
        )
        return arrive(appointment, origin=origin) if visit.arrived else appointment


def schedule_order(
    order: Order,
    *,
    resource: Resource,
    starts_at: datetime.datetime,
    origin: Origin,
    minutes: int | None = None,
    overbook: bool = False,
) -> Appointment:
    """Book a room and put every requested procedure on the worklist of its devices.

    `minutes` None: what the catalogue says the procedures take together. Refuses as
    `scheduling.book` does, and with AlreadyScheduled.
    """
    procedures = list(order.procedures.select_related("procedure", "order"))
    length = minutes or sum(row.procedure.duration_minutes for row in procedures)
    with transaction.atomic():
        current = Order.objects.select_for_update().get(pk=order.pk)
        standing = current.appointments.open().first()
        if standing:
            raise AlreadyScheduled(standing)
        appointment = scheduling.book(
            current,
            resource=resource,
            starts_at=starts_at,
            minutes=length,
            origin=origin,
            overbook=overbook,
        )
        for requested in procedures:
            _plan_steps(requested, appointment, origin)
        if current.status == Order.Status.REQUESTED:
            advance_order(current, to=Order.Status.SCHEDULED, origin=origin)
    return appointment


def reschedule(
    appointment: Appointment,
    *,
    resource: Resource,
    starts_at: datetime.datetime,
    origin: Origin,
) -> Appointment:
    """Move an appointment with its steps; raises BookingStarted once one was started."""
    with transaction.atomic():
        steps = _waiting_steps(appointment)
        moved = scheduling.move(appointment, resource=resource, starts_at=starts_at, origin=origin)
        for step in steps:
            _bind(step, moved)
    return moved


def cancel_appointment(appointment: Appointment, *, reason: str, origin: Origin) -> Appointment:
    """Cancel an appointment and its steps; the order waits to be scheduled again."""
    with transaction.atomic():
        steps = _waiting_steps(appointment)
        cancelled = scheduling.cancel(appointment, reason=reason, origin=origin)
        _withdraw(steps, origin)
        _unschedule(cancelled.order, origin)
    return cancelled


def miss_appointment(appointment: Appointment, *, origin: Origin) -> Appointment:
    """The patient did not come; the order waits to be scheduled again."""
    with transaction.atomic():
        steps = _waiting_steps(appointment)
        missed = scheduling.miss(appointment, origin=origin)
        _withdraw(steps, origin)
        _unschedule(missed.order, origin)
    return missed


def arrive(appointment: Appointment, *, origin: Origin) -> Appointment:
    """The patient is here: the appointment and its steps have arrived."""
    with transaction.atomic():
        arrived = scheduling.arrive(appointment, origin=origin)
        arrived.steps.filter(status=ScheduledStep.Status.SCHEDULED).update(
            status=ScheduledStep.Status.ARRIVED
        )
    return arrived


def cancel_order_and_steps(order: Order, *, reason: str, origin: Origin) -> Order:
    """Cancel an order with its appointments and steps; refused once the exam has begun."""
    with transaction.atomic():
        cancelled = cancel_order(order, reason=reason, origin=origin)
        steps = ScheduledStep.objects.filter(
            requested_procedure__order=cancelled, status__in=WAITING
        )
        _withdraw(list(steps), origin)
        for appointment in cancelled.appointments.open():
            scheduling.cancel(appointment, reason=reason, origin=origin)
    return cancelled


def _plan_steps(requested: RequestedProcedure, appointment: Appointment, origin: Origin) -> None:
    """Bind the waiting steps of a procedure to the appointment, or make its first one."""
    waiting = list(requested.steps.filter(status__in=WAITING))
    for step in waiting:
        _bind(step, appointment)
    if not waiting:
        schedule_step(
            requested,
            devices=_devices(appointment.resource),
            starts_at=appointment.starts_at,
            origin=origin,
            appointment=appointment,
            details=StepDetails(location=appointment.resource.name[:16]),
        )


def _bind(step: ScheduledStep, appointment: Appointment) -> None:
    devices = _devices(appointment.resource)
    step.appointment = appointment
    step.starts_at = appointment.starts_at
    step.location = appointment.resource.name[:16]
    step.station_name = devices[0].station_name if len(devices) == 1 else ""
    step.save(update_fields=["appointment", "starts_at", "location", "station_name"])
    step.devices.set(devices)


def _devices(resource: Resource) -> list[Device]:
    return list(Device.objects.allowed().filter(resource=resource))


def _waiting_steps(appointment: Appointment) -> list[ScheduledStep]:
    """The steps of an appointment, locked; raises BookingStarted where one was started."""
    steps = list(appointment.steps.select_for_update(of=("self",)))
    if any(step.status not in {*WAITING, ScheduledStep.Status.CANCELED} for step in steps):
        raise BookingStarted
    return [step for step in steps if step.status in WAITING]


def _withdraw(steps: list[ScheduledStep], origin: Origin) -> None:
    # The reason stands on the appointment or order: it is free text and may hold a name.
    for step in steps:
        cancel_step(step, reason="", origin=origin)


def _unschedule(order: Order, origin: Origin) -> None:
    order.refresh_from_db()
    if order.status == Order.Status.SCHEDULED and not order.appointments.open().exists():
        advance_order(order, to=Order.Status.REQUESTED, origin=origin)
