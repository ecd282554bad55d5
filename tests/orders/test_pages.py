"""The list of orders and the page of one."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import Role, User
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.orders.services import advance_order, cancel_order
from tests.factories import (
    OrderFactory,
    PatientIdentifierFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    signed_in,
)

pytestmark = pytest.mark.django_db

SignIn = Callable[[str], Client]


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_the_policy_lets_it(role: Role, as_role: SignIn) -> None:
    client, order = as_role(role), OrderFactory()
    read = 403 if role is Role.SYSTEM_ADMINISTRATOR else 200
    one = 404 if role is Role.REFERRER else read
    assert client.get(reverse("orders:list")).status_code == read
    assert client.get(reverse("orders:detail", args=[order.pk])).status_code == one
    assert client.get(reverse("orders:journal", args=[order.pk])).status_code == one


def test_a_referrer_sees_own_orders(user_of: Callable[[str], User]) -> None:
    user = user_of("referrer")
    own = OrderFactory(referrer=ReferrerFactory(user=user))
    OrderFactory()
    client = signed_in(user)
    assert client.get(reverse("orders:detail", args=[own.pk])).status_code == 200
    assert list(client.get(reverse("orders:list")).context["orders"]) == [own]


def test_the_list_is_narrowed_by_state(as_role: SignIn) -> None:
    waiting = OrderFactory()
    booked = OrderFactory(status=Order.Status.SCHEDULED)
    over = OrderFactory(
        status=Order.Status.REPORTED,
        requested_at=timezone.now() - datetime.timedelta(days=9),
    )
    client, url = as_role("front-desk"), reverse("orders:list")

    def shown(query: str) -> set[Order]:
        return set(client.get(f"{url}?{query}").context["orders"])

    assert shown("") == shown("show=nonsense") == {waiting, booked}
    assert shown("show=unscheduled") == {waiting}
    assert shown("show=scheduled") == {booked}
    assert shown("show=running") == shown("show=unreported") == set()
    assert shown("show=today") == {waiting, booked}
    assert shown("show=all") == {waiting, booked, over}
    assert shown(f"number={over.accession_number.lower()}") == {over}


def test_the_page_tells_what_happened_in_order(as_role: SignIn, origin: Origin) -> None:
    order = OrderFactory()
    advance_order(order, to=Order.Status.HELD, origin=origin)
    cancel_order(order, reason="Not needed", origin=origin)
    page = as_role("front-desk").get(reverse("orders:detail", args=[order.pk]))
    told = [one.what for one in page.context["happenings"]]
    assert told == ["Order is now: Held", "Order cancelled"]
    assert "Not needed" in page.content.decode()


def test_an_order_of_another_patient_with_the_same_number_is_not_told(
    as_role: SignIn, origin: Origin
) -> None:
    order = OrderFactory(accession_number="SAME", issuer__namespace="A")
    other = OrderFactory(accession_number="SAME", issuer__namespace="B")
    advance_order(other, to=Order.Status.HELD, origin=origin)
    page = as_role("front-desk").get(reverse("orders:detail", args=[order.pk]))
    assert list(page.context["happenings"]) == []


def test_fifty_orders_cost_as_many_queries_as_one(
    as_role: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for requested in RequestedProcedureFactory.create_batch(50):
        PatientIdentifierFactory(patient=requested.order.patient)
    client = as_role("front-desk")
    with django_assert_max_num_queries(12):
        response = client.get(reverse("orders:list"))
    assert len(response.context["orders"]) == 50
