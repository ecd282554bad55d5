"""Who follows the journal gets every row once, whatever is being written meanwhile."""

import threading
import time

import pytest
from django.db import connection, transaction

from apps.audit.feed import changes_since, last_position
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
