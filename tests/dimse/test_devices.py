"""Devices in the back office, and asking them whether they are there."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pynetdicom import AE

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dimse.services import echo
from apps.worklist.models import Device
from tests.factories import DeviceFactory

pytestmark = pytest.mark.django_db
VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def answering() -> Iterator[Device]:
    """A device that is there."""
    entity = AE(ae_title="WS1")
    entity.require_called_aet = True
    entity.require_calling_aet = ["OPENPACS"]
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    yield DeviceFactory.create(ae_title="WS1", port=server.server_address[1])
    server.shutdown()


def test_a_device_that_answers_is_remembered_with_it(answering: Device, origin: Origin) -> None:
    result = echo(answering, origin=origin)
    assert result.success
    answering.refresh_from_db()
    assert answering.echo_result == "The device answered."
    assert answering.echoed_at is not None
    event = Event.objects.get(kind=Kind.DEVICE_ECHOED)
    assert event.details["success"] is True


def test_a_wrong_title_is_said(answering: Device, origin: Origin) -> None:
    answering.ae_title = "OTHER"
    result = echo(answering, origin=origin)
    assert not result.success
    assert "refuses" in result.message


def test_a_device_that_is_off_is_said(origin: Origin) -> None:
    result = echo(DeviceFactory.create(port=1), origin=origin)
    assert not result.success
    assert result.message == "Nothing answers at 127.0.0.1:1."


def test_a_device_without_an_address_is_said(origin: Origin) -> None:
    result = echo(DeviceFactory.create(host=""), origin=origin)
    assert result.message == "The device has no address: enter its host first."


def test_the_administrator_tests_devices_from_the_list(
    answering: Device, as_role: Callable[[str], Client]
) -> None:
    client = as_role("pacs-administrator")
    page = client.post(
        reverse("admin:worklist_device_changelist"),
        {"action": "test_connection", "_selected_action": [answering.pk]},
        follow=True,
    )
    assert "The device answered." in page.content.decode()


def test_the_administrator_tests_a_device_from_its_form(
    answering: Device, as_role: Callable[[str], Client]
) -> None:
    client = as_role("pacs-administrator")
    address = reverse("admin:worklist_device_change", args=[answering.pk])
    assert "C-ECHO" in client.get(address).content.decode()
    fields = ["name", "ae_title", "modality", "host", "port", "character_set"]
    fields.append("parallel_associations")
    form = {name: getattr(answering, name) for name in fields}
    page = client.post(address, {**form, "active": "on", "_echo": "1"}, follow=True)
    assert "The device answered." in page.content.decode()


def test_the_list_of_devices_asks_a_fixed_number_of_questions(
    as_role: Callable[[str], Client], django_assert_max_num_queries: Any
) -> None:
    client = as_role("pacs-administrator")
    DeviceFactory.create_batch(20)
    with django_assert_max_num_queries(12):
        client.get(reverse("admin:worklist_device_changelist"))


@pytest.mark.parametrize("role", ["front-desk", "technologist", "radiologist"])
def test_devices_are_not_for_everyone(role: str, as_role: Callable[[str], Client]) -> None:
    page = as_role(role).get(reverse("admin:worklist_device_changelist"))
    assert page.status_code in (302, 403)
