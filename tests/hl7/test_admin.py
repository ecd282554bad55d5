"""The back office of HL7: partners are set up, messages are looked at."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import Event, Kind
from apps.hl7.models import Message, Partner
from apps.hl7.reading import readable

pytestmark = pytest.mark.django_db
RAW = b"MSH|^~\\&|HIS|HOSP\rPID|1||7||<b>Doe</b>^J\xfcrgen\r"


@pytest.fixture
def dead(partner: Partner) -> Message:
    return Message.objects.create(
        direction="out", partner=partner, message_type="ORU^R01", status="dead", raw=RAW
    )


def test_the_text_of_a_message_is_shown_escaped(
    as_role: Callable[[str], Client], dead: Message
) -> None:
    page = as_role("pacs-administrator").get(reverse("admin:hl7_message_change", args=[dead.pk]))
    assert page.status_code == 200
    assert b"&lt;b&gt;Doe&lt;/b&gt;" in page.content
    assert b"<b>Doe</b>" not in page.content


@pytest.mark.parametrize("role", ["front-desk", "technologist", "radiologist", "referrer"])
def test_messages_are_not_for_everyone(
    as_role: Callable[[str], Client], dead: Message, role: str
) -> None:
    client = as_role(role)
    for url in (
        reverse("admin:hl7_message_change", args=[dead.pk]),
        reverse("admin:hl7_message_changelist"),
        reverse("admin:hl7_partner_changelist"),
    ):
        page = client.get(url)
        assert page.status_code in (302, 403), url
        assert b"Doe" not in page.content


def test_messages_cannot_be_changed_or_deleted(
    as_role: Callable[[str], Client], dead: Message
) -> None:
    client = as_role("pacs-administrator")
    assert client.get(reverse("admin:hl7_message_add")).status_code == 403
    assert client.post(reverse("admin:hl7_message_delete", args=[dead.pk])).status_code == 403
    client.post(reverse("admin:hl7_message_change", args=[dead.pk]), {"status": "sent"})
    dead.refresh_from_db()
    assert dead.status == "dead"


def test_a_message_given_up_is_sent_again_by_an_administrator(
    as_role: Callable[[str], Client], dead: Message
) -> None:
    data = {"action": "send_again", "_selected_action": [dead.pk]}
    page = as_role("pacs-administrator").post(reverse("admin:hl7_message_changelist"), data)
    assert page.status_code == 302
    dead.refresh_from_db()
    assert dead.status == "waiting"
    assert Event.objects.get(kind=Kind.MESSAGE_REQUEUED).user is not None


def test_an_auditor_looks_and_sends_nothing(
    as_role: Callable[[str], Client], dead: Message
) -> None:
    client = as_role("auditor")
    url = reverse("admin:hl7_message_changelist")
    assert client.get(url).status_code == 200
    client.post(url, {"action": "send_again", "_selected_action": [dead.pk]})
    dead.refresh_from_db()
    assert dead.status == "dead"


def test_a_partner_is_set_up(as_role: Callable[[str], Client]) -> None:
    data = {
        "name": "EHR",
        "active": "on",
        "application": "EHR",
        "receives_results": "on",
        "host": "127.0.0.1",
        "port": "2575",
        "character_set": "8859/1",
        "time_zone": "Europe/Vienna",
    }
    client = as_role("pacs-administrator")
    page = client.post(reverse("admin:hl7_partner_add"), data)
    assert page.status_code == 302
    assert Partner.objects.get().zone.key == "Europe/Vienna"


@pytest.mark.parametrize(
    "wrong", [{"character_set": "no such"}, {"time_zone": "Nowhere"}, {"host": ""}, {"port": "0"}]
)
def test_a_partner_that_cannot_work_is_refused(
    as_role: Callable[[str], Client], wrong: dict[str, str]
) -> None:
    data = {
        "name": "EHR",
        "application": "EHR",
        "receives_results": "on",
        "host": "127.0.0.1",
        "port": "2575",
        "character_set": "8859/1",
        **wrong,
    }
    page = as_role("pacs-administrator").post(reverse("admin:hl7_partner_add"), data)
    assert page.status_code == 200
    assert not Partner.objects.exists()


def test_the_list_of_messages_makes_few_queries(
    as_role: Callable[[str], Client], partner: Partner, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        Message.objects.create(
            direction="in", partner=partner, control_id=str(number), status="processed", raw=RAW
        )
    client = as_role("pacs-administrator")
    with django_assert_max_num_queries(16):
        assert client.get(reverse("admin:hl7_message_changelist")).status_code == 200


def test_broken_messages_can_be_read_too() -> None:
    assert readable(b"", None) == ""
    assert readable(b"\xff\x00garbage", None)
    assert "J\ufffdrgen" in readable(RAW, None)
    assert readable(RAW, Partner(character_set="8859/1")).endswith("Jürgen")
    assert "[... 5000]" in readable(b"MSH|^~\\&|" + b"x" * 5000, None)
