"""Booking, moving and cancelling; the database decides who was first."""

import datetime
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.scheduling.models import Appointment, BookedSlot, Resource
from apps.scheduling.services.slots import is_open, next_free, slots_of

BOOKABLE = frozenset({Order.Status.REQUESTED, Order.Status.SCHEDULED, Order.Status.IN_PROGRESS})
LONGEST_MINUTES = 24 * 60


class BookingRefused(ValueError):
    """Base of every refusal in this room; its text may be shown to a person."""


class SlotTaken(BookingRefused):
    """Somebody has the room then; `alternatives` are the next free times."""

    def __init__(self, alternatives: list[datetime.datetime]) -> None:
        self.alternatives = alternatives
        super().__init__(_("The room is taken at that time."))


class ResourceClosed(BookingRefused):
    """The room is not open all that time; `alternatives` are the next free times."""

    def __init__(self, alternatives: list[datetime.datetime]) -> None:
        self.alternatives = alternatives
        super().__init__(_("The room is not open at that time."))


class ResourceUnsuitable(BookingRefused):
    """The room is out of use or cannot do what is ordered."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(
            _("%(room)s cannot be booked for what is ordered.") % {"room": resource.name}
        )


class OrderNotBookable(BookingRefused):
    """The order is over, cancelled or on hold."""

    def __init__(self, order: Order) -> None:
        super().__init__(
            _("Order %(order)s is %(status)s and cannot be scheduled.")
            % {"order": order, "status": order.get_status_display()}
        )


class AppointmentClosed(BookingRefused):
    """The appointment was cancelled, moved or kept already."""

    def __init__(self, appointment: Appointment) -> None:
        super().__init__(
            _("This appointment is %(status)s; nothing can be changed any more.")
            % {"status": appointment.get_status_display().lower()}
        )


class ReasonMissing(BookingRefused):
    """Cancelling needs a reason."""

    def __init__(self) -> None:
        super().__init__(_("Say why the appointment is cancelled."))


def book(
    order: Order,
    *,
    resource: Resource,
    starts_at: datetime.datetime,
    minutes: int,
    origin: Origin,
    overbook: bool = False,
) -> Appointment:
    """Give an order a room for some minutes.

    Raises SlotTaken, ResourceClosed, ResourceUnsuitable or OrderNotBookable. With
    `overbook` a taken or closed room is no obstacle.
    """
    if order.status not in BOOKABLE:
        raise OrderNotBookable(order)
    _check_room(order, resource, starts_at, minutes, overbook=overbook)
    with transaction.atomic():
        appointment = Appointment.objects.create(
            order=order,
            resource=resource,
            starts_at=starts_at,
            ends_at=starts_at + datetime.timedelta(minutes=minutes),
        )
        _take_slots(appointment, overbook=overbook)
        _record(Kind.APPOINTMENT_BOOKED, appointment, origin, overbooked=overbook)
    return appointment


def move(
    appointment: Appointment,
    *,
    resource: Resource,
    starts_at: datetime.datetime,
    origin: Origin,
) -> Appointment:
    """Move to another time or room: a new row, the old one cancelled and its slots free.

    The minutes stay. Refuses as `book` does; then nothing has changed.
    """
    with transaction.atomic():
        old = _open(appointment)
        minutes = int((old.ends_at - old.starts_at).total_seconds() // 60)
        old.slots.all().delete()
        _check_room(old.order, resource, starts_at, minutes)
        new = Appointment.objects.create(
            order=old.order,
            resource=resource,
            starts_at=starts_at,
            ends_at=starts_at + (old.ends_at - old.starts_at),
            status=old.status,
            arrived_at=old.arrived_at,
            previous=old,
        )
        _close(old, Appointment.Status.CANCELLED, _("Moved"))
        _take_slots(new)
        _record(Kind.APPOINTMENT_MOVED, new, origin, previous=old.pk)
    return new


def cancel(appointment: Appointment, *, reason: str, origin: Origin) -> Appointment:
    """Cancel; the room is free again. Raises ReasonMissing or AppointmentClosed."""
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        current = _open(appointment)
        current.slots.all().delete()
        _close(current, Appointment.Status.CANCELLED, reason.strip()[:200])
        _record(Kind.APPOINTMENT_CANCELLED, current, origin)
    return current


def miss(appointment: Appointment, *, origin: Origin) -> Appointment:
    """The patient did not come; the room is free again."""
    with transaction.atomic():
        current = _open(appointment)
        if current.status != Appointment.Status.BOOKED:
            raise AppointmentClosed(current)
        current.slots.all().delete()
        _close(current, Appointment.Status.NOSHOW, "")
        _record(Kind.APPOINTMENT_CANCELLED, current, origin, missed=True)
    return current


def arrive(appointment: Appointment, *, origin: Origin) -> Appointment:
    """The patient is here; saying so twice changes nothing."""
    with transaction.atomic():
        current = _open(appointment)
        if current.status == Appointment.Status.ARRIVED:
            return current
        current.status = Appointment.Status.ARRIVED
        current.arrived_at = timezone.now()
        current.save(update_fields=["status", "arrived_at"])
        _record(Kind.PATIENT_ARRIVED, current, origin)
    return current


def fulfil(appointment: Appointment) -> Appointment:
    """The exam is over. Journaled by whoever completed it."""
    with transaction.atomic():
        current = Appointment.objects.select_for_update().get(pk=appointment.pk)
        if current.status in {Appointment.Status.BOOKED, Appointment.Status.ARRIVED}:
            current.status = Appointment.Status.FULFILLED
            current.save(update_fields=["status"])
    return current


def _open(appointment: Appointment) -> Appointment:
    """The row read again under a lock; raises AppointmentClosed when it is over."""
    rows = Appointment.objects.select_for_update(of=("self",)).select_related("order")
    current = rows.get(pk=appointment.pk)
    if current.status not in {Appointment.Status.BOOKED, Appointment.Status.ARRIVED}:
        raise AppointmentClosed(current)
    return current


def _close(appointment: Appointment, status: Appointment.Status, reason: str) -> None:
    appointment.status = status
    appointment.cancel_reason = reason
    appointment.save(update_fields=["status", "cancel_reason"])


def _check_room(
    order: Order,
    resource: Resource,
    starts_at: datetime.datetime,
    minutes: int,
    *,
    overbook: bool = False,
) -> None:
    if not 0 < minutes <= LONGEST_MINUTES:
        raise BookingRefused(_("An appointment takes between one minute and a day."))
    procedures = [row.procedure for row in order.procedures.select_related("procedure")]
    if not Resource.objects.suiting(procedures).filter(pk=resource.pk).exists():
        raise ResourceUnsuitable(resource)
    ends_at = starts_at + datetime.timedelta(minutes=minutes)
    if not overbook and not is_open(resource, starts_at, ends_at):
        raise ResourceClosed(next_free(resource, after=starts_at, minutes=minutes))


def _take_slots(appointment: Appointment, *, overbook: bool = False) -> None:
    """Insert the slots without asking first: the unique key refuses whoever comes second."""
    starts = slots_of(appointment.starts_at, appointment.ends_at)
    lane = _free_lane(appointment.resource, starts) if overbook else 0
    try:
        with transaction.atomic():
            BookedSlot.objects.bulk_create(
                BookedSlot(
                    appointment=appointment,
                    resource=appointment.resource,
                    starts_at=start,
                    lane=lane,
                )
                for start in starts
            )
    except IntegrityError as error:
        minutes = int((appointment.ends_at - appointment.starts_at).total_seconds() // 60)
        after = appointment.starts_at
        raise SlotTaken(next_free(appointment.resource, after=after, minutes=minutes)) from error


def _free_lane(resource: Resource, starts: Iterable[datetime.datetime]) -> int:
    """0 where the room is free anyway, else one above the highest lane in use."""
    rows = BookedSlot.objects.filter(resource=resource, starts_at__in=list(starts))
    highest = rows.aggregate(highest=Max("lane"))["highest"]
    return 0 if highest is None else highest + 1


def _record(kind: Kind, appointment: Appointment, origin: Origin, **details: Any) -> None:
    audit.record(
        kind,
        appointment,
        origin=origin,
        patient_id=appointment.order.patient_id,
        accession_number=appointment.order.accession_number,
        details={"room": appointment.resource_id, **details},
    )
