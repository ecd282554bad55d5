"""Before the first caller comes, a listener has opened what that one needs."""

import threading

import pytest
from django.db import OperationalError

from apps.audit.models import Event
from apps.dimse import database, rehearsal

Nudged = list[list[str]]


@pytest.fixture
def nudged(threads_db: None, monkeypatch: pytest.MonkeyPatch) -> Nudged:
    database.close_idle_connections()
    told: Nudged = []
    monkeypatch.setattr(rehearsal, "nudge", told.append)
    return told


def test_a_connection_waits_for_the_first_caller_and_the_journal_says_nothing(
    nudged: Nudged,
) -> None:
    before = Event.objects.count()
    _rehearse()
    assert len(database._idle) == 1
    assert nudged == [[]]
    assert Event.objects.count() == before
    database.close_idle_connections()


def test_a_database_that_is_away_is_left_to_the_callers(
    nudged: Nudged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(rehearsal, "find_device", away)
    _rehearse()
    assert nudged == [[]]


def _rehearse() -> None:
    thread = threading.Thread(target=rehearsal.rehearse)  # as a listener does
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
