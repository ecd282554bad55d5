"""The journal as a feed: what has happened since a place in it.

A key is given when a row is written, not when its transaction commits: who reads by keys
misses rows of slow transactions. The place in the hash chain is given after the commit by
one sealer, so that a row that is seen later has a later place: those are the cursor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.audit.models import Event

WINDOW = 10_000  # places looked at by one request, however few of them are wanted


@dataclass(frozen=True)
class Changes:
    """Rows in order; `last` is where to go on, `more` whether there is something already."""

    results: list[Event]
    last: int
    more: bool


def last_position() -> int:
    """The place of the last sealed row; 0 where there is none."""
    found = Event.objects.exclude(position=None).order_by("-position").values_list("position")
    return (found.first() or (0,))[0] or 0


def changes_since(since: int, *, limit: int, kinds: Sequence[str] = ()) -> Changes:
    """Rows behind a place, of some kinds or of all."""
    top = last_position()
    end = min(top, since + WINDOW)
    rows = Event.objects.filter(position__gt=since, position__lte=end)
    if kinds:
        rows = rows.filter(kind__in=kinds)
    found = list(rows.order_by("position")[:limit])
    full = len(found) == limit
    last = found[-1].position or since if full else max(end, since)
    return Changes(found, last, more=last < top)
