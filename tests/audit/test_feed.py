"""Who follows the journal gets every row once, whatever is being written meanwhile."""

import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit import feed
from apps.audit.feed import await_changes, changes_since, last_position
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record, seal

WRITERS, ROWS = 4, 25


def write(count: int, origin: Origin, kind: Kind = Kind.STUDY_COMPLETE) -> None:
    for _ in range(count):
        record(kind, None, origin=origin)


@pytest.mark.django_db
def test_the_feed_goes_on_where_it_ended(origin: Origin) -> None:
    start = last_position()
    write(5, origin)
    seal()
    first = changes_since(start, limit=3)
    assert (len(first.results), first.more) == (3, True)
    second = changes_since(first.last, limit=3)
    assert (len(second.results), second.more) == (2, False)
    assert second.last == last_position()
    assert changes_since(second.last, limit=3).results == []


@pytest.mark.django_db
def test_rows_that_are_not_sealed_yet_come_later(origin: Origin) -> None:
    seal()
    start = last_position()
    write(1, origin)
    assert changes_since(start, limit=10).results == []
    seal()
    assert len(changes_since(start, limit=10).results) == 1


@pytest.mark.django_db
def test_kinds_that_are_not_asked_for_are_stepped_over(origin: Origin) -> None:
    seal()
    start = last_position()
    write(3, origin)
    write(1, origin, Kind.STUDY_VIEWED)
    write(2, origin)
    seal()
    found = changes_since(start, limit=10, kinds=[Kind.STUDY_VIEWED])
    assert [one.kind for one in found.results] == [Kind.STUDY_VIEWED]
    assert (found.last, found.more) == (start + 6, False)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_missed_while_four_write_at_once(origin: Origin) -> None:
    """Each writer holds its transactions open for a while, so that keys commit out of order."""
    seal()
    start, done = last_position(), threading.Event()
    writers = [threading.Thread(target=_write_slowly, args=(n, origin)) for n in range(WRITERS)]
    sealer = threading.Thread(target=_keep_sealing, args=(done,))
    for thread in (*writers, sealer):
        thread.start()
    seen, since = [], start
    while any(thread.is_alive() for thread in writers):
        found = changes_since(since, limit=7)
        seen += [one.pk for one in found.results]
        since = found.last
    done.set()
    sealer.join()
    while (found := changes_since(since, limit=7)).results:
        seen += [one.pk for one in found.results]
        since = found.last
    written = set(Event.objects.filter(peer__startswith="writer").values_list("pk", flat=True))
    assert len(written) == WRITERS * ROWS
    assert len(seen) == len(set(seen)), "nothing twice"
    assert set(seen) == written


def _write_slowly(number: int, origin: Origin) -> None:
    who = Origin(protocol=origin.protocol, peer=f"writer {number}")
    for row in range(ROWS):
        with transaction.atomic():
            record(Kind.STUDY_COMPLETE, None, origin=who)
            time.sleep(0.002 * ((number + row) % 4))
    connection.close()


def _keep_sealing(done: threading.Event) -> None:
    while not done.is_set():
        seal(limit=10)
        time.sleep(0.003)
    while seal():
        pass
    connection.close()


def let_wait(monkeypatch: pytest.MonkeyPatch, places: int) -> None:
    """So many may wait, and look often."""
    semaphore = threading.BoundedSemaphore(places)
    monkeypatch.setattr(feed, "_places", lambda: semaphore)
    monkeypatch.setattr(feed, "LOOK_EVERY", 0.02)


@pytest.mark.django_db(transaction=True)
def test_an_answer_waits_for_something_to_tell(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_wait(monkeypatch, 1)
    seal()
    start = last_position()

    def happen() -> None:
        try:
            for kind in (Kind.PATIENT_VIEWED, Kind.STUDY_VIEWED):
                write(1, origin, kind)
                seal()
        finally:
            connection.close()

    later = threading.Timer(0.1, happen)
    later.start()
    found = await_changes(start, limit=10, kinds=[Kind.STUDY_VIEWED], seconds=20)
    later.join()
    assert [row.kind for row in found.results] == [Kind.STUDY_VIEWED]
    assert changes_since(found.last, limit=10).results == []


@pytest.mark.django_db
def test_the_wait_ends_where_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    let_wait(monkeypatch, 1)
    for _ in range(2):  # the place is given back
        began = time.monotonic()
        assert await_changes(last_position(), limit=10, seconds=0.1).results == []
        assert 0.1 <= time.monotonic() - began < 5


@pytest.mark.django_db
def test_where_enough_are_waiting_the_answer_comes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_wait(monkeypatch, 0)
    began = time.monotonic()
    assert await_changes(last_position(), limit=10, seconds=20).results == []
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("threads", "waiting"), [(1, 0), (4, 1), (16, 4)])
def test_a_quarter_of_the_threads_wait_at_most(threads: int, waiting: int, settings: Any) -> None:
    settings.OPENPACS_WEB_THREADS = threads
    feed._places.cache_clear()
    got = [feed._places().acquire(blocking=False) for _ in range(waiting + 1)]
    assert got == [*[True] * waiting, False]
    feed._places.cache_clear()
