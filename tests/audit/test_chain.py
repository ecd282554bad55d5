"""The hash chain: an edited, removed or inserted row is found."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, broken_links, record, seal

pytestmark = pytest.mark.django_db


@contextmanager
def without_triggers() -> Iterator[None]:
    """What somebody with the keys of the database can do."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing may be pending
            cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER audit_event_never_changed")
            cursor.execute("DROP TRIGGER audit_event_sealed_once")
            cursor.execute("DROP TRIGGER IF EXISTS audit_event_never_deleted")
    yield


def make_events(origin: Origin, count: int = 5) -> list[Event]:
    return [
        record(Kind.ORDER_PLACED, None, origin=origin, accession_number=f"A{n}")
        for n in range(count)
    ]


def test_an_untouched_chain_holds(origin: Origin) -> None:
    make_events(origin)
    assert seal() == 5
    assert broken_links() == []


def test_a_new_row_goes_on_where_the_chain_ended(origin: Origin) -> None:
    make_events(origin, 2)
    seal()
    make_events(origin, 3)
    assert seal() == 3
    places = Event.objects.order_by("position").values_list("position", flat=True)
    assert list(places) == [1, 2, 3, 4, 5]
    assert broken_links() == []


def test_sealing_twice_changes_nothing(origin: Origin) -> None:
    make_events(origin)
    seal()
    digests = list(Event.objects.values_list("digest", flat=True))
    assert seal() == 0
    assert list(Event.objects.values_list("digest", flat=True)) == digests


def test_sealing_goes_on_over_several_rounds(origin: Origin) -> None:
    make_events(origin)
    assert [seal(limit=2), seal(limit=2), seal(limit=2)] == [2, 2, 1]
    assert broken_links() == []


def test_an_edited_row_breaks_the_chain_at_its_place(origin: Origin) -> None:
    events = make_events(origin)
    seal()
    with without_triggers():
        Event.objects.filter(pk=events[2].pk).update(accession_number="FORGED")
    assert broken_links() == [3]


def test_a_removed_row_breaks_the_chain_at_its_place(origin: Origin) -> None:
    events = make_events(origin)
    seal()
    with without_triggers():
        Event.objects.filter(pk=events[1].pk).delete()
    assert broken_links() == [3]


def test_an_exchanged_digest_breaks_the_chain(origin: Origin) -> None:
    events = make_events(origin)
    seal()
    with without_triggers():
        Event.objects.filter(pk=events[4].pk).update(digest="0" * 64)
    assert broken_links() == [5]
