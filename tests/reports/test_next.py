"""From one exam to the next one of the reading list."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.orders.models import Order
from apps.reports import services
from apps.reports.models import Report
from tests.factories import PASSWORD, make_user
from tests.reports.rows import by, make_report, sign

pytestmark = pytest.mark.django_db
STAT, LOW = Order.Priority.STAT, Order.Priority.LOW


def after(client: Client, report: Report, **narrowed: str) -> Any:
    return client.get(reverse("reports:next", args=[report.pk]), narrowed)


def page_of(report: Report) -> str:
    return reverse("reports:edit", args=[report.pk])


def test_the_next_one_is_below_in_the_list_and_the_last_leads_to_the_top(client: Client) -> None:
    low, routine, stat = make_report(priority=LOW), make_report(), make_report(priority=STAT)
    assert after(client, stat).url == page_of(routine)
    assert after(client, routine).url == page_of(low)
    assert after(client, low).url == page_of(stat)
    assert not Report.objects.exclude(claimed_by=None).exists()


def test_exams_of_others_and_signed_ones_are_passed_over(client: Client, reader: User) -> None:
    first, of_bob, signed, last = (make_report() for _ in range(4))
    bob = make_user("radiologist", username="bob")
    services.claim_report(of_bob, origin=by(bob))
    sign(signed, bob)
    assert after(client, first).url == page_of(last)
    services.claim_report(last, origin=by(reader))
    assert after(client, first).url == page_of(last)


def test_the_list_stays_as_narrow_as_it_was(client: Client) -> None:
    first, _, magnetic = make_report(), make_report(), make_report(modality="MR")
    assert after(client, first, modality="MR").url == f"{page_of(magnetic)}?modality=MR"


def test_where_none_is_left_the_list_says_so(client: Client) -> None:
    response = after(client, make_report(), modality="CT")
    assert response.url == f"{reverse('reports:reading-list')}?modality=CT"
    assert "No other exam waits to be read." in client.get(response.url).content.decode()


def test_signing_leads_on_where_that_is_wanted(client: Client) -> None:
    first, second = make_report(), make_report()
    data = {"findings": "Clear.", "revision": 0, "status": "final", "password": PASSWORD}
    url = reverse("reports:sign", args=[first.pk])
    response = client.post(f"{url}?modality=CT", {**data, "then": "next"})
    assert response["Location"] == f"{page_of(second)}?modality=CT"


def test_next_is_for_readers(as_role: Any) -> None:
    report = make_report()
    for role in ("referrer", "technologist", "front-desk"):
        assert after(as_role(role), report).status_code == 403
