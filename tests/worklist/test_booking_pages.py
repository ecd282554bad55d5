"""Ordering, booking, moving and calling off, on pages."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import Role, User
from apps.audit.services import Origin
from apps.orders.models import Order, Procedure
from apps.patients.models import Patient
from apps.scheduling.models import Appointment, BookedSlot, Resource
from apps.worklist.services.bookings import schedule_order
from tests.factories import (
    OrderFactory,
    PatientFactory,
    ProcedureFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    ResourceFactory,
    signed_in,
)

pytestmark = pytest.mark.django_db

SignIn = Callable[[str], Client]
NINE = datetime.datetime(2030, 1, 7, 9, tzinfo=datetime.UTC)


@pytest.fixture
def room() -> Resource:
    room: Resource = ResourceFactory(name="CT 1")
    return room


@pytest.fixture
def procedure() -> Procedure:
    procedure: Procedure = ProcedureFactory()
    return procedure


@pytest.fixture
def patient() -> Patient:
    patient: Patient = PatientFactory()
    return patient


@pytest.fixture
def sent(room: Resource, procedure: Procedure) -> dict[str, str]:
    return {
        "procedures": str(procedure.pk),
        "priority": "STAT",
        "laterality": "L",
        "reason": "Cough",
        "resource": str(room.pk),
        "day": "2030-01-07",
        "starts_at": NINE.isoformat(),
    }


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_the_policy_lets_it(
    role: Role, patient: Patient, as_role: SignIn, origin: Origin, room: Resource
) -> None:
    client = as_role(role)
    order = RequestedProcedureFactory(order__patient=patient).order
    visit = schedule_order(order, resource=room, starts_at=NINE, origin=origin)
    desk = 200 if role is Role.FRONT_DESK else 403
    change = 200 if role is Role.TECHNOLOGIST else desk
    create = 404 if role is Role.REFERRER else desk
    read = 403 if role is Role.SYSTEM_ADMINISTRATOR else 200
    one = 404 if role is Role.REFERRER else read
    for page, key, wanted in (
        ("order-create", patient.pk, create),
        ("patient-orders", patient.pk, one),
        ("order-steps", order.pk, one),
        ("book", order.pk, desk),
        ("move", visit.pk, change),
        ("cancel", visit.pk, change),
        ("cancel-order", order.pk, change),
    ):
        response = client.get(reverse(f"worklist:{page}", args=[key]))
        assert (page, response.status_code) == (page, wanted)


def test_order_and_appointment_in_one_go(
    patient: Patient, sent: dict[str, str], as_role: SignIn
) -> None:
    response = as_role("front-desk").post(reverse("worklist:order-create", args=[patient.pk]), sent)
    order = Order.objects.get()
    assert response["Location"] == reverse("orders:detail", args=[order.pk])
    assert (order.priority, order.status) == ("STAT", Order.Status.SCHEDULED)
    assert order.procedures.get().laterality == "L"
    assert order.appointments.get().starts_at == NINE


def test_order_now_and_book_later(patient: Patient, procedure: Procedure, as_role: SignIn) -> None:
    sent = {"procedures": procedure.pk, "priority": "ROUTINE", "later": "1"}
    as_role("front-desk").post(reverse("worklist:order-create", args=[patient.pk]), sent)
    assert Order.objects.get().status == Order.Status.REQUESTED
    assert not Appointment.objects.exists()


def test_a_walk_in_is_here_now(patient: Patient, sent: dict[str, str], as_role: SignIn) -> None:
    sent |= {"starts_at": "", "arrived": "on"}
    as_role("front-desk").post(reverse("worklist:order-create", args=[patient.pk]), sent)
    visit = Appointment.objects.get()
    assert visit.status == Appointment.Status.ARRIVED
    assert abs(visit.starts_at - timezone.now()) < datetime.timedelta(minutes=6)
    assert visit.steps.get().status == "ARRIVED"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"procedures": ""}, "Choose at least one procedure."),
        ({"procedures": "999"}, "Select a valid choice"),
        ({"starts_at": ""}, "Choose a time."),
        ({"starts_at": "soon"}, "Enter a valid date/time."),
        ({"day": "2030-02-31"}, "Enter a valid date."),
        ({"resource": "999"}, "Select a valid choice"),
        ({"priority": "NOW"}, "Select a valid choice"),
    ],
)
def test_a_fault_is_told_and_nothing_is_ordered(
    change: dict[str, str],
    told: str,
    patient: Patient,
    sent: dict[str, str],
    as_role: SignIn,
) -> None:
    response = as_role("front-desk").post(
        reverse("worklist:order-create", args=[patient.pk]),
        {name: value for name, value in (sent | change).items() if value},
    )
    assert response.status_code == 422
    assert told in response.content.decode()
    assert not Order.objects.exists()


def test_a_taken_time_orders_nothing_and_offers_three_others(
    patient: Patient, room: Resource, sent: dict[str, str], as_role: SignIn, origin: Origin
) -> None:
    other = RequestedProcedureFactory().order
    schedule_order(other, resource=room, starts_at=NINE, origin=origin)
    client, url = as_role("front-desk"), reverse("worklist:order-create", args=[patient.pk])
    response = client.post(url, sent)
    page = response.content.decode()
    assert response.status_code == 422
    assert "The room is taken at that time." in page
    for time in ("09:30", "09:45", "10:00"):
        assert f'value="2030-01-07T{time}:00+00:00"' in page
    assert Order.objects.count() == 1
    written = client.post(url, sent | {"other_time": "09:05"})
    assert 'name="other_time" value=""' in written.content.decode()
    client.post(url, sent | {"overbook": "on"})
    assert Order.objects.count() == 2
    assert BookedSlot.objects.filter(lane=1).count() == 4


def test_only_rooms_that_suit_are_offered_with_their_free_times(
    room: Resource, procedure: Procedure, as_role: SignIn
) -> None:
    ResourceFactory(name="MR 1", modality="MR")
    client, url = as_role("front-desk"), reverse("worklist:free-times")
    page = client.get(f"{url}?procedures={procedure.pk}&day=2030-01-07").content.decode()
    assert "CT 1" in page
    assert "MR 1" not in page
    assert "09:15" in page
    assert "Choose a procedure first" in client.get(url).content.decode()
    ultrasound = ProcedureFactory(modality="US")
    page = client.get(f"{url}?procedures={ultrasound.pk}").content.decode()
    assert "No room does all of these together." in page


def test_a_time_is_written_where_none_is_offered(
    patient: Patient, sent: dict[str, str], as_role: SignIn
) -> None:
    sent |= {"starts_at": "", "other_time": "10:05"}
    as_role("front-desk").post(reverse("worklist:order-create", args=[patient.pk]), sent)
    assert Appointment.objects.get().starts_at == NINE.replace(hour=10, minute=5)


def test_an_order_that_waits_gets_a_time_and_another_one(
    room: Resource, sent: dict[str, str], as_role: SignIn
) -> None:
    order, client = RequestedProcedureFactory().order, as_role("front-desk")
    client.post(reverse("worklist:book", args=[order.pk]), sent)
    visit = order.appointments.get()
    moved = sent | {"starts_at": NINE.replace(hour=11).isoformat()}
    response = client.post(reverse("worklist:move", args=[visit.pk]), moved)
    assert response["Location"] == reverse("orders:detail", args=[order.pk])
    assert order.appointments.open().get().starts_at.hour == 11
    again = client.post(reverse("worklist:move", args=[visit.pk]), moved)
    assert "nothing can be changed any more" in again.content.decode()


def test_calling_off_needs_a_reason(room: Resource, as_role: SignIn, origin: Origin) -> None:
    order, client = RequestedProcedureFactory().order, as_role("front-desk")
    visit = schedule_order(order, resource=room, starts_at=NINE, origin=origin)
    url = reverse("worklist:cancel", args=[visit.pk])
    assert "Say why." in client.post(url, {"reason": " "}).content.decode()
    client.post(url, {"reason": "Ill"})
    assert not order.appointments.open().exists()
    client.post(reverse("worklist:cancel-order", args=[order.pk]), {"reason": "Not needed"})
    order.refresh_from_db()
    assert order.status == Order.Status.CANCELLED
    refused = client.post(reverse("worklist:cancel-order", args=[order.pk]), {"reason": "x"})
    assert "cannot be cancelled any more" in refused.content.decode()


def test_the_panels_show_orders_and_steps(
    patient: Patient, room: Resource, as_role: SignIn, origin: Origin
) -> None:
    order = RequestedProcedureFactory(order__patient=patient).order
    visit = schedule_order(order, resource=room, starts_at=NINE, origin=origin)
    client = as_role("front-desk")
    page = client.get(reverse("worklist:patient-orders", args=[patient.pk])).content.decode()
    assert order.accession_number in page
    page = client.get(reverse("worklist:order-steps", args=[order.pk])).content.decode()
    assert reverse("worklist:move", args=[visit.pk]) in page
    assert visit.steps.get().identifier in page


def test_a_referrer_orders_in_the_own_name_and_books_nothing(
    user_of: Callable[[str], User], sent: dict[str, str]
) -> None:
    user = user_of("referrer")
    own, other = ReferrerFactory(user=user), ReferrerFactory()
    patient = OrderFactory(referrer=own).patient
    client = signed_in(user)
    url = reverse("worklist:order-create", args=[patient.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, sent | {"referrer": str(other.pk)}).status_code == 422
    assert client.post(url, sent | {"referrer": str(own.pk)}).status_code == 302
    order = Order.objects.latest("pk")
    assert (order.referrer, order.status) == (own, Order.Status.REQUESTED)


@pytest.mark.parametrize(
    "when",
    [
        {"starts_at": "2020-01-01T10:00:00+00:00", "day": "2020-01-01"},
        {"starts_at": "0001-01-01T00:00:00+00:00"},
        {"starts_at": "9999-12-31T23:59:00+00:00"},
        {"starts_at": "", "day": "9999-12-31", "other_time": "23:59"},
        {"starts_at": "", "day": "0001-01-01", "other_time": "00:00"},
    ],
)
def test_days_that_are_over_or_far_off_are_not_booked(
    when: dict[str, str], patient: Patient, sent: dict[str, str], as_role: SignIn
) -> None:
    page = reverse("worklist:order-create", args=[patient.pk])
    assert as_role("front-desk").post(page, sent | when).status_code == 422
    assert not Order.objects.exists()


def test_the_ends_of_the_calendar_offer_no_times(
    room: Resource, procedure: Procedure, as_role: SignIn
) -> None:
    client = as_role("front-desk")
    for day in ("0001-01-01", "9999-12-31"):
        chosen = {"procedures": str(procedure.pk), "resource": str(room.pk), "day": day}
        assert client.get(reverse("worklist:free-times"), chosen).status_code == 200


def test_a_reason_has_an_end(patient: Patient, sent: dict[str, str], as_role: SignIn) -> None:
    page = reverse("worklist:order-create", args=[patient.pk])
    answer = as_role("front-desk").post(page, sent | {"reason": "x" * 5000})
    assert answer.status_code == 422
    assert not Order.objects.exists()
