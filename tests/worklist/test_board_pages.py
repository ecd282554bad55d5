"""The board, the room page, the calendar and their buttons."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import Role
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.scheduling.models import Appointment, OpeningHours, Resource
from apps.worklist.board import Column, cards_of
from apps.worklist.models import ScheduledStep
from apps.worklist.services.bookings import arrive, schedule_order
from apps.worklist.services.steps import complete_by_hand, schedule_step, start_by_hand
from tests.factories import (
    OrderFactory,
    PatientIdentifierFactory,
    RequestedProcedureFactory,
    ResourceFactory,
)

pytestmark = pytest.mark.django_db

SignIn = Callable[[str], Client]
STAFF = set(Role) - {Role.SYSTEM_ADMINISTRATOR, Role.REFERRER}


@pytest.fixture
def room() -> Resource:
    room: Resource = ResourceFactory()
    return room


def noon() -> datetime.datetime:
    return datetime.datetime.combine(
        timezone.localdate(), datetime.time(12), timezone.get_default_timezone()
    )


@pytest.fixture
def visit(room: Resource, origin: Origin) -> Appointment:
    order = RequestedProcedureFactory().order
    return schedule_order(order, resource=room, starts_at=noon(), origin=origin)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_the_policy_lets_it(
    role: Role, visit: Appointment, as_role: SignIn
) -> None:
    client = as_role(role)
    staff = 200 if role in STAFF else 403
    calendar = 200 if role in {*STAFF, Role.REFERRER} else 403
    assert client.get(reverse("worklist:board")).status_code == staff
    assert client.get(reverse("worklist:room", args=[visit.resource_id])).status_code == staff
    assert client.get(reverse("worklist:day-calendar")).status_code == calendar


@pytest.mark.parametrize("role", list(Role))
def test_each_role_presses_the_buttons_it_may(
    role: Role, visit: Appointment, as_role: SignIn
) -> None:
    client, step = as_role(role), visit.steps.get()
    desk = 302 if role in {Role.FRONT_DESK, Role.TECHNOLOGIST} else 403
    technologist = 302 if role in {Role.TECHNOLOGIST, Role.PACS_ADMINISTRATOR} else 403
    assert client.post(reverse("worklist:arrive", args=[visit.pk])).status_code == desk
    assert client.post(reverse("worklist:miss", args=[visit.pk])).status_code == desk
    assert client.post(reverse("worklist:start", args=[step.pk])).status_code == technologist
    assert client.post(reverse("worklist:complete", args=[step.pk])).status_code == technologist


def test_a_button_is_not_a_link(visit: Appointment, as_role: SignIn) -> None:
    client = as_role("front-desk")
    assert client.get(reverse("worklist:arrive", args=[visit.pk])).status_code == 405
    assert client.post(reverse("worklist:arrive", args=[999])).status_code == 404


def test_a_card_goes_from_column_to_column(visit: Appointment, origin: Origin) -> None:
    def column() -> Column:
        (card,) = cards_of(timezone.localdate(), room=None, orders=Order.objects.all())
        return card.column

    assert column() == Column.EXPECTED
    arrive(visit, origin=origin)
    assert column() == Column.ARRIVED
    step = start_by_hand(visit.steps.get(), origin=origin)
    assert column() == Column.IN_ROOM
    complete_by_hand(step, origin=origin)
    assert column() == Column.DONE


def test_a_cancelled_visit_leaves_the_board(visit: Appointment, as_role: SignIn) -> None:
    client = as_role("front-desk")
    client.post(reverse("worklist:cancel", args=[visit.pk]), {"reason": "Ill"})
    assert cards_of(timezone.localdate(), room=None, orders=Order.objects.all()) == []


def test_a_step_without_a_room_stands_on_the_board(origin: Origin, as_role: SignIn) -> None:
    requested = RequestedProcedureFactory()
    schedule_step(requested, devices=[], starts_at=noon(), origin=origin)
    page = as_role("front-desk").get(reverse("worklist:board")).content.decode()
    assert "no room yet" in page
    assert reverse("worklist:book", args=[requested.order_id]) in page


def test_arriving_shows_the_board_again_with_the_wait(visit: Appointment, as_role: SignIn) -> None:
    client = as_role("front-desk")
    board = reverse("worklist:board")
    response = client.post(
        reverse("worklist:arrive", args=[visit.pk]),
        {"next": board},
        headers={"HX-Request": "true"},
        follow=True,
    )
    page = response.content.decode()
    assert "waiting 0 min" in page
    assert "<html" not in page
    assert Event.objects.filter(kind=Kind.PATIENT_ARRIVED).count() == 1


def test_a_refused_button_says_why(visit: Appointment, as_role: SignIn, origin: Origin) -> None:
    step = visit.steps.get()
    complete_by_hand(start_by_hand(step, origin=origin), origin=origin)
    response = as_role("technologist").post(
        reverse("worklist:start", args=[step.pk]), {"next": reverse("worklist:board")}, follow=True
    )
    assert "its state does not allow it" in response.content.decode()


def test_a_button_leads_to_our_pages_only(visit: Appointment, as_role: SignIn) -> None:
    response = as_role("front-desk").post(
        reverse("worklist:arrive", args=[visit.pk]), {"next": "https://elsewhere.example/"}
    )
    assert response["Location"] == reverse("worklist:board")


def test_the_board_shows_the_day_and_room_asked_for(visit: Appointment, as_role: SignIn) -> None:
    client, url = as_role("front-desk"), reverse("worklist:board")

    def count(query: str) -> int:
        columns = client.get(f"{url}?{query}").context["columns"]
        return sum(len(cards) for _column, cards in columns)

    tomorrow = timezone.localdate() + datetime.timedelta(days=1)
    assert count("") == count("day=nonsense&room=x") == count("day=2026-02-31") == 1
    assert count(f"room={visit.resource_id}") == 1
    assert count(f"room={ResourceFactory().pk}") == 0
    assert count(f"day={tomorrow}") == 0


def test_the_technologist_works_through_the_room_page(visit: Appointment, as_role: SignIn) -> None:
    client = as_role("technologist")
    url = reverse("worklist:room", args=[visit.resource_id])
    step = visit.steps.get()
    assert reverse("worklist:start", args=[step.pk]) in client.get(url).content.decode()
    client.post(reverse("worklist:start", args=[step.pk]), {"next": url})
    assert reverse("worklist:discontinue", args=[step.pk]) in client.get(url).content.decode()
    refused = client.post(reverse("worklist:discontinue", args=[step.pk]), {"reason": ""})
    assert "Say why." in refused.content.decode()
    client.post(reverse("worklist:discontinue", args=[step.pk]), {"reason": "Unwell"})
    step.refresh_from_db()
    assert step.status == ScheduledStep.Status.DISCONTINUED


def test_the_calendar_shows_bookings_and_closed_hours(visit: Appointment, as_role: SignIn) -> None:
    OpeningHours.objects.create(
        resource=visit.resource,
        weekday=timezone.localdate().weekday(),
        opens=datetime.time(9),
        closes=datetime.time(17),
    )
    ResourceFactory()
    response = as_role("front-desk").get(reverse("worklist:day-calendar"))
    page = response.content.decode()
    assert "12:00\N{EN DASH}12:20" in page
    assert [row.starts_at.hour for row in response.context["rows"]][::16] == [9]


@pytest.mark.parametrize("page", ["worklist:board", "worklist:day-calendar", "worklist:room"])
def test_fifty_visits_cost_as_many_queries_as_one(
    page: str,
    room: Resource,
    origin: Origin,
    as_role: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    start = noon() - datetime.timedelta(hours=10)
    for number in range(50):
        order = OrderFactory()
        PatientIdentifierFactory(patient=order.patient)
        requested = RequestedProcedureFactory(order=order, procedure__duration_minutes=5)
        schedule_order(
            requested.order,
            resource=room,
            starts_at=start + datetime.timedelta(minutes=5 * number),
            origin=origin,
        )
    client = as_role("technologist")
    url = reverse(page, args=[room.pk] if page == "worklist:room" else [])
    with django_assert_max_num_queries(12):
        assert client.get(url).status_code == 200


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_shown_as_today(day: str, as_role: SignIn) -> None:
    client = as_role("front-desk")
    for page in ("worklist:board", "worklist:day-calendar"):
        response = client.get(reverse(page), {"day": day})
        assert response.status_code == 200
        assert response.context["day"] == timezone.localdate()
