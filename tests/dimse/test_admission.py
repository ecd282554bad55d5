"""Who may connect: known titles, from known addresses; refusals are journalled, sparingly."""

import logging
import socket
from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.dimse.listener import Listener
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Tool
from tests.dimse.pdus import associate_rq


def rejection(
    listener: Listener, *, calling: str = "CT1", called: str = "OPENPACS"
) -> tuple[int, ...]:
    """Result, source and reason of the A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(associate_rq("1.2.840.10008.1.1", calling=calling, called=called))
        answer = connection.recv(64)
    assert (answer[0], len(answer)) == (3, 10)
    return tuple(answer[7:])


def rejections() -> list[str]:
    rows = Event.objects.filter(kind=Kind.ASSOCIATION_REJECTED)
    return [row.details["reason"] for row in rows]


def test_a_known_device_is_let_in_and_was_seen(
    listener: Listener, dial: Dial, device: Device
) -> None:
    association = dial(listener)
    assert association.send_c_echo().Status == 0
    device.refresh_from_db()
    assert device.last_seen_at is not None


def test_a_stranger_is_rejected_and_journalled_once(listener: Listener) -> None:
    for number in range(5):
        assert rejection(listener, calling=f"STRANGER{number}") == (1, 1, 3)
    assert rejections() == ["calling AE title is not a known device"]


def test_another_called_title_is_rejected(listener: Listener, device: Device) -> None:
    assert rejection(listener, called="ORTHANC") == (1, 1, 7)
    assert rejections() == ["called AE title is not ours"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"\0\1\0\0OPENPACS", b"\0\2\0\0OPENPACS", (1, 2, 2)),
        (b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.9", (1, 1, 2)),
    ],
)
def test_each_cause_has_its_own_reason(
    old: bytes, new: bytes, reason: tuple[int, ...], listener: Listener, device: Device
) -> None:
    request = associate_rq("1.2.840.10008.1.1")
    assert old in request
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(request.replace(old, new, 1))
        assert tuple(connection.recv(64)[7:]) == reason


def test_a_device_has_no_more_associations_than_it_may(
    listener: Listener, dial: Dial, device: Device
) -> None:
    Device.objects.filter(pk=device.pk).update(max_associations=1)
    first = dial(listener)
    assert first.is_established
    assert rejection(listener) == (2, 3, 2)
    assert first.send_c_echo().Status == 0


def test_our_title_is_the_configured_one(listener: Listener, dial: Dial, settings: Any) -> None:
    settings.OPENPACS_AE_TITLE = "RADIOLOGY"
    assert dial(listener, called="RADIOLOGY").is_established


def test_a_device_at_rest_is_rejected(listener: Listener, device: Device) -> None:
    Device.objects.filter(pk=device.pk).update(active=False)
    assert rejection(listener) == (1, 1, 3)


@pytest.mark.parametrize(
    ("host", "welcome"), [("127.0.0.1", True), ("localhost", True), ("192.0.2.7", False)]
)
def test_a_device_may_be_held_to_its_address(
    host: str, welcome: bool, listener: Listener, dial: Dial, device: Device
) -> None:
    Device.objects.filter(pk=device.pk).update(host=host, check_address=True)
    assert dial(listener).is_established is welcome


def test_a_service_without_the_right_is_not_offered(
    listener: Listener, dial: Dial, device: Device
) -> None:
    Device.objects.filter(pk=device.pk).update(may_read_worklist=False, may_report_steps=False)
    association = dial(
        listener, "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.1.1"
    )
    assert len(association.accepted_contexts) == 1
    assert {context.result for context in association.rejected_contexts} == {1}


def test_a_class_that_nobody_offers_is_rejected(listener: Listener, dial: Dial) -> None:
    association = dial(listener, "1.2.840.10008.5.1.1.9", "1.2.840.10008.1.1")
    (context,) = association.rejected_contexts
    assert context.result == 3


def test_what_a_stranger_calls_itself_is_not_logged(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="apps")
    rejection(listener, calling="STRANGER")
    assert "STRANGER" not in caplog.text


def test_whoever_knocks_again_and_again_is_one_line_of_the_log(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        rejection(listener, calling="STRANGER")
    said = [one for one in caplog.messages if "not a known device" in one]
    assert len(said) == 1


@pytest.mark.peer
def test_dcmtk_echoes(listener: Listener, device: Device, tool: Tool) -> None:
    def echo(calling: str) -> int:
        return tool(
            "echoscu", "-aet", calling, "-aec", "OPENPACS", "127.0.0.1", listener.port
        ).returncode

    assert echo("CT1") == 0
    assert echo("NOBODY") != 0
