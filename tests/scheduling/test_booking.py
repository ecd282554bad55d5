"""A room is used by one patient at a time; the database says so."""

import datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.scheduling.models import Appointment, BookedSlot, OpeningHours, Resource
from apps.scheduling.services import (
    AppointmentClosed,
    BookingRefused,
    OrderNotBookable,
    ReasonMissing,
    ResourceClosed,
    ResourceUnsuitable,
    SlotTaken,
    arrive,
    book,
    cancel,
    free_slots,
    miss,
    move,
)
from tests.factories import (
    OrderFactory,
    ProcedureFactory,
    RequestedProcedureFactory,
    ResourceFactory,
)
from tests.threads import at_once

pytestmark = pytest.mark.django_db

MONDAY = datetime.date(2030, 1, 7)


def at(hour: int, minute: int = 0, day: datetime.date = MONDAY) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour, minute), datetime.UTC)


@pytest.fixture
def order() -> Order:
    requested = RequestedProcedureFactory()
    order: Order = requested.order
    return order


@pytest.fixture
def room() -> Resource:
    room: Resource = ResourceFactory()
    OpeningHours.objects.create(
        resource=room, weekday=0, opens=datetime.time(8), closes=datetime.time(12)
    )
    return room


def test_a_booking_takes_every_five_minutes_of_its_room(
    order: Order, room: Resource, origin: Origin
) -> None:
    appointment = book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    assert appointment.ends_at == at(8, 20)
    assert appointment.slots.count() == 4
    event = Event.objects.get()
    assert (event.kind, event.accession_number) == (
        Kind.APPOINTMENT_BOOKED,
        order.accession_number,
    )


def test_a_double_booking_is_refused_by_the_database_and_three_times_are_offered(
    order: Order, room: Resource, origin: Origin
) -> None:
    book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    with pytest.raises(SlotTaken) as refused:
        book(order, resource=room, starts_at=at(8, 15), minutes=20, origin=origin)
    assert refused.value.alternatives == [at(8, 30), at(8, 45), at(9)]
    assert Appointment.objects.count() == 1
    assert BookedSlot.objects.count() == 4


def test_appointments_may_touch_one_another(order: Order, room: Resource, origin: Origin) -> None:
    book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    book(order, resource=room, starts_at=at(8, 20), minutes=20, origin=origin)
    assert Appointment.objects.count() == 2


def test_overbooking_needs_the_flag_and_takes_another_lane(
    order: Order, room: Resource, origin: Origin
) -> None:
    for _ in range(3):
        book(order, resource=room, starts_at=at(8), minutes=5, origin=origin, overbook=True)
    assert list(BookedSlot.objects.order_by("lane").values_list("lane", flat=True)) == [0, 1, 2]


@pytest.mark.django_db(transaction=True)
def test_of_ten_clerks_at_once_one_gets_the_room() -> None:
    order = RequestedProcedureFactory().order
    room = ResourceFactory()

    def try_to_book(_clerk: int) -> str:
        try:
            book(
                order,
                resource=room,
                starts_at=at(8),
                minutes=20,
                origin=Origin(protocol="test"),
            )
        except SlotTaken:
            return "taken"
        return "booked"

    outcome = at_once(try_to_book, range(10))
    assert sorted(outcome) == ["booked"] + ["taken"] * 9
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize("start", [at(7, 55), at(11, 50), at(8, 0, datetime.date(2030, 1, 8))])
def test_a_closed_room_is_refused(
    start: datetime.datetime, order: Order, room: Resource, origin: Origin
) -> None:
    with pytest.raises(ResourceClosed) as refused:
        book(order, resource=room, starts_at=start, minutes=20, origin=origin)
    assert len(refused.value.alternatives) == 3
    assert not Appointment.objects.exists()


def test_a_room_for_something_else_is_refused(order: Order, origin: Origin) -> None:
    for room in (
        ResourceFactory(modality="MR"),
        ResourceFactory(active=False),
        _room_only_for(ProcedureFactory()),
    ):
        with pytest.raises(ResourceUnsuitable):
            book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)


def test_a_room_that_lists_the_procedure_is_suitable(order: Order, origin: Origin) -> None:
    room = _room_only_for(order.procedures.get().procedure)
    assert book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)


def _room_only_for(procedure: object) -> Resource:
    room: Resource = ResourceFactory()
    room.procedures.add(procedure)  # type: ignore[arg-type]
    return room


def test_an_order_that_is_over_gets_no_room(room: Resource, origin: Origin) -> None:
    order = OrderFactory(status=Order.Status.CANCELLED, cancel_reason="x")
    with pytest.raises(OrderNotBookable):
        book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)


@pytest.mark.parametrize("minutes", [0, -5, 1441])
def test_an_impossible_length_is_refused(
    minutes: int, order: Order, room: Resource, origin: Origin
) -> None:
    with pytest.raises(BookingRefused):
        book(order, resource=room, starts_at=at(8), minutes=minutes, origin=origin)


def test_moving_makes_a_new_row_and_frees_the_old_time(
    order: Order, room: Resource, origin: Origin
) -> None:
    old = arrive(
        book(order, resource=room, starts_at=at(8), minutes=20, origin=origin), origin=origin
    )
    new = move(old, resource=room, starts_at=at(8, 10), origin=origin)
    old.refresh_from_db()
    assert (new.previous, new.ends_at, new.status) == (old, at(8, 30), "arrived")
    assert (old.status, old.slots.count()) == ("cancelled", 0)
    assert new.slots.count() == 4
    with pytest.raises(AppointmentClosed):
        move(old, resource=room, starts_at=at(9), origin=origin)


def test_a_refused_move_changes_nothing(order: Order, room: Resource, origin: Origin) -> None:
    first = book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    book(order, resource=room, starts_at=at(9), minutes=20, origin=origin)
    with pytest.raises(SlotTaken):
        move(first, resource=room, starts_at=at(9), origin=origin)
    first.refresh_from_db()
    assert (first.status, first.slots.count()) == ("booked", 4)


def test_cancelling_needs_a_reason_and_frees_the_time(
    order: Order, room: Resource, origin: Origin
) -> None:
    appointment = book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    with pytest.raises(ReasonMissing):
        cancel(appointment, reason="", origin=origin)
    cancel(appointment, reason="Ill", origin=origin)
    with pytest.raises(AppointmentClosed):
        arrive(appointment, origin=origin)
    assert book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)


def test_a_missed_appointment_frees_the_time(order: Order, room: Resource, origin: Origin) -> None:
    appointment = book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    assert miss(appointment, origin=origin).status == "noshow"
    assert not BookedSlot.objects.exists()


def test_arriving_twice_is_journaled_once(order: Order, room: Resource, origin: Origin) -> None:
    appointment = book(order, resource=room, starts_at=at(8), minutes=20, origin=origin)
    arrive(appointment, origin=origin)
    arrive(appointment, origin=origin)
    assert Event.objects.filter(kind=Kind.PATIENT_ARRIVED).count() == 1


def test_free_times_leave_out_what_is_taken_or_past(
    order: Order, room: Resource, origin: Origin
) -> None:
    book(order, resource=room, starts_at=at(10, 30), minutes=30, origin=origin)
    with time_machine.travel(at(10, 5), tick=False):
        free = free_slots(room, day=MONDAY, minutes=30)
    assert free == [at(11), at(11, 15), at(11, 30)]
    assert free_slots(room, day=MONDAY + datetime.timedelta(days=1), minutes=30) == []


def test_opening_hours_follow_the_clock_of_the_site(
    order: Order, origin: Origin, settings: object
) -> None:
    """In Berlin 2030-03-31 has no 02:30, and 08:00 is 06:00 UTC from that day on."""
    settings.TIME_ZONE = "Europe/Berlin"  # type: ignore[attr-defined]
    zone = ZoneInfo("Europe/Berlin")
    room = ResourceFactory()
    for weekday in (5, 6):
        OpeningHours.objects.create(
            resource=room, weekday=weekday, opens=datetime.time(8), closes=datetime.time(9)
        )
    saturday, sunday = datetime.date(2030, 3, 30), datetime.date(2030, 3, 31)
    assert free_slots(room, day=saturday, minutes=60) == [at(7, 0, saturday)]
    assert free_slots(room, day=sunday, minutes=60) == [at(6, 0, sunday)]
    local = datetime.datetime(2030, 3, 31, 8, tzinfo=zone)
    assert book(order, resource=room, starts_at=local, minutes=60, origin=origin)


def test_the_day_of_a_clock_change_has_23_hours(settings: object) -> None:
    settings.TIME_ZONE = "Europe/Berlin"  # type: ignore[attr-defined]
    room = ResourceFactory()
    hours = free_slots(room, day=datetime.date(2030, 3, 31), minutes=60)
    assert len({moment.astimezone(datetime.UTC).replace(minute=0) for moment in hours}) == 23
