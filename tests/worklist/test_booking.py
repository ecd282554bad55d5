"""What is booked is what the devices are told to do."""

import datetime

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.orders.services import CancelRefused
from apps.scheduling.models import BookedSlot
from apps.scheduling.services import SlotTaken
from apps.worklist.models import ScheduledStep
from apps.worklist.services.bookings import (
    AlreadyScheduled,
    BookingStarted,
    arrive,
    cancel_appointment,
    cancel_order_and_steps,
    miss_appointment,
    reschedule,
    schedule_order,
)
from apps.worklist.services.steps import (
    complete_by_hand,
    discontinue_by_hand,
    schedule_step,
    start_by_hand,
)
from tests.factories import (
    DeviceFactory,
    OrderFactory,
    ProcedureFactory,
    RequestedProcedureFactory,
    ResourceFactory,
)

pytestmark = pytest.mark.django_db

EIGHT = datetime.datetime(2030, 1, 7, 8, tzinfo=datetime.UTC)
NINE = EIGHT.replace(hour=9)


@pytest.fixture
def order() -> Order:
    order: Order = OrderFactory()
    RequestedProcedureFactory(order=order, procedure=ProcedureFactory(duration_minutes=20))
    RequestedProcedureFactory(order=order, procedure=ProcedureFactory(duration_minutes=30))
    return order


def steps_of(order: Order) -> list[ScheduledStep]:
    return list(ScheduledStep.objects.filter(requested_procedure__order=order))


def test_scheduling_books_the_room_and_tells_its_devices(order: Order, origin: Origin) -> None:
    device = DeviceFactory()
    DeviceFactory(resource=device.resource, active=False)
    appointment = schedule_order(order, resource=device.resource, starts_at=EIGHT, origin=origin)
    assert appointment.ends_at == EIGHT + datetime.timedelta(minutes=50)
    for step in steps_of(order):
        assert (step.appointment, step.starts_at) == (appointment, EIGHT)
        assert list(step.devices.all()) == [device]
    order.refresh_from_db()
    assert order.status == Order.Status.SCHEDULED
    assert Event.objects.filter(kind=Kind.STEP_SCHEDULED).count() == 2


def test_steps_that_wait_already_are_bound_not_doubled(order: Order, origin: Origin) -> None:
    for requested in order.procedures.all():
        schedule_step(requested, devices=[], starts_at=None, origin=origin)
    device = DeviceFactory()
    appointment = schedule_order(order, resource=device.resource, starts_at=EIGHT, origin=origin)
    assert [step.appointment for step in steps_of(order)] == [appointment, appointment]
    assert steps_of(order)[0].devices.get() == device


def test_a_second_appointment_is_refused(order: Order, origin: Origin) -> None:
    room = ResourceFactory()
    schedule_order(order, resource=room, starts_at=EIGHT, origin=origin)
    with pytest.raises(AlreadyScheduled):
        schedule_order(order, resource=room, starts_at=NINE, origin=origin)


def test_a_taken_room_leaves_neither_appointment_nor_step(order: Order, origin: Origin) -> None:
    room = ResourceFactory()
    other = RequestedProcedureFactory().order
    schedule_order(other, resource=room, starts_at=EIGHT, origin=origin)
    with pytest.raises(SlotTaken):
        schedule_order(order, resource=room, starts_at=EIGHT, origin=origin)
    assert steps_of(order) == []
    order.refresh_from_db()
    assert order.status == Order.Status.REQUESTED


def test_moving_takes_the_steps_along(order: Order, origin: Origin) -> None:
    appointment = schedule_order(order, resource=ResourceFactory(), starts_at=EIGHT, origin=origin)
    device = DeviceFactory()
    moved = reschedule(appointment, resource=device.resource, starts_at=NINE, origin=origin)
    for step in steps_of(order):
        assert (step.appointment, step.starts_at) == (moved, NINE)
        assert step.devices.get() == device


def test_an_arrival_shows_on_the_worklist(order: Order, origin: Origin) -> None:
    appointment = schedule_order(order, resource=ResourceFactory(), starts_at=EIGHT, origin=origin)
    arrive(appointment, origin=origin)
    assert {step.status for step in steps_of(order)} == {"ARRIVED"}


def test_a_cancelled_appointment_leaves_the_order_waiting(order: Order, origin: Origin) -> None:
    room = ResourceFactory()
    appointment = schedule_order(order, resource=room, starts_at=EIGHT, origin=origin)
    cancel_appointment(appointment, reason="Ill", origin=origin)
    order.refresh_from_db()
    assert order.status == Order.Status.REQUESTED
    assert {step.status for step in steps_of(order)} == {"CANCELED"}
    assert not BookedSlot.objects.exists()
    schedule_order(order, resource=room, starts_at=EIGHT, origin=origin)
    assert ScheduledStep.objects.waiting().count() == 2


def test_a_missed_appointment_leaves_the_order_waiting(order: Order, origin: Origin) -> None:
    appointment = schedule_order(order, resource=ResourceFactory(), starts_at=EIGHT, origin=origin)
    miss_appointment(appointment, origin=origin)
    order.refresh_from_db()
    assert order.status == Order.Status.REQUESTED


def test_an_exam_that_began_is_neither_moved_nor_cancelled(order: Order, origin: Origin) -> None:
    room = ResourceFactory()
    appointment = schedule_order(order, resource=room, starts_at=EIGHT, origin=origin)
    start_by_hand(steps_of(order)[0], origin=origin)
    with pytest.raises(BookingStarted):
        reschedule(appointment, resource=room, starts_at=NINE, origin=origin)
    with pytest.raises(BookingStarted):
        cancel_appointment(appointment, reason="Late", origin=origin)
    with pytest.raises(CancelRefused):
        cancel_order_and_steps(order, reason="Late", origin=origin)
    appointment.refresh_from_db()
    assert appointment.status == "booked"


def test_an_appointment_is_kept_once_its_last_step_is_over(order: Order, origin: Origin) -> None:
    appointment = schedule_order(order, resource=ResourceFactory(), starts_at=EIGHT, origin=origin)
    first, second = steps_of(order)
    complete_by_hand(first, origin=origin)
    appointment.refresh_from_db()
    assert appointment.status == "booked"
    discontinue_by_hand(second, reason="Unwell", origin=origin)
    appointment.refresh_from_db()
    assert appointment.status == "fulfilled"


def test_cancelling_an_order_clears_room_and_worklist(order: Order, origin: Origin) -> None:
    schedule_order(order, resource=ResourceFactory(), starts_at=EIGHT, origin=origin)
    cancelled = cancel_order_and_steps(order, reason="Not needed", origin=origin)
    assert cancelled.status == Order.Status.CANCELLED
    assert {step.status for step in steps_of(order)} == {"CANCELED"}
    assert order.appointments.get().status == "cancelled"
    assert not BookedSlot.objects.exists()
