"""A disk that fills up: images wait outside, queries go on, and it is over within seconds."""

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pynetdicom import build_role

from apps.dimse.listener import Listener
from apps.studies import room
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, ct_image
from tests.dimse.test_negotiation import CT, GET, associate

Leave = Callable[[int], None]


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Leave]:
    """Sets how many bytes are free."""
    settings.OPENPACS_DISK_LOW, settings.OPENPACS_DISK_HARD = 2000, 1000

    def leave(count: int) -> None:
        found = SimpleNamespace(f_bavail=count, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda _path: found)
        room.forget_room()

    yield leave
    monkeypatch.undo()
    room.forget_room()


def test_below_the_first_mark_images_are_refused_for_now(
    listener: Listener, dial: Dial, leave: Leave, spool: Spool
) -> None:
    association = dial(listener, CT)
    leave(1500)
    assert association.send_c_store(ct_image("2.25.1")).Status == 0xA700
    assert not list(spool.partial.iterdir())
    leave(5000)
    assert association.send_c_store(ct_image("2.25.1")).Status == 0
    association.release()


def test_a_full_disk_is_one_line_for_all_the_images_it_keeps_out(
    listener: Listener, dial: Dial, leave: Leave, caplog: pytest.LogCaptureFixture
) -> None:
    association = dial(listener, CT)
    leave(1500)
    for number in range(3):
        assert association.send_c_store(ct_image(f"2.25.{number + 1}")).Status == 0xA700
    refused = [one for one in caplog.messages if "DiskFull" in one]
    assert refused == ["operation 0x0001 of CT1 refused: DiskFull: no room for images"]
    association.release()


def test_below_the_second_mark_nobody_begins_to_send(
    listener: Listener, dial: Dial, leave: Leave, device: Device
) -> None:
    leave(500)
    full: Any = dial(listener, CT).acceptor.primitive
    # Rejected for now, by the service provider (presentation): temporary congestion.
    assert (full.result, full.result_source, full.diagnostic) == (2, 3, 1)
    assert dial(listener).send_c_echo().Status == 0
    Device.objects.filter(pk=device.pk).update(may_retrieve=True)
    getting = associate(listener, GET, CT, items=[build_role(CT, scp_role=True)])
    assert getting.is_established
    getting.release()
    leave(5000)
    assert dial(listener, CT).is_established
