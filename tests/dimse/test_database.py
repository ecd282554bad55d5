"""Associations one after the other share a database connection."""

import time

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.dimse import database
from apps.dimse.listener import Listener
from tests.dimse.conftest import Dial, Start


def test_an_association_takes_over_the_connection_of_the_one_before(
    listener: Listener, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    connect = BaseDatabaseWrapper.connect

    def counted(self: BaseDatabaseWrapper) -> None:
        opened.append(self)
        connect(self)

    monkeypatch.setattr(BaseDatabaseWrapper, "connect", counted)
    for _ in range(3):
        association = dial(listener)
        assert association.send_c_echo().Status == 0
        association.release()
        _wait_for_idle()
    assert len(opened) == 1


def test_a_listener_that_has_stopped_leaves_none_open(start: Start, dial: Dial) -> None:
    listener = start()
    dial(listener).release()
    _wait_for_idle()
    listener.stop()
    for _ in range(200):
        if not database._idle:
            break
        _pause()
    assert not database._idle


def _wait_for_idle() -> None:
    for _ in range(200):
        if database._idle:
            return
        _pause()
    raise AssertionError("no connection was left")


def _pause() -> None:
    time.sleep(0.02)
