"""The journal as a feed: what has happened since a place in it.

A key is given when a row is written, not when its transaction commits: who reads by keys
misses rows of slow transactions. The place in the hash chain is given after the commit by
one sealer, so that a row that is seen later has a later place: those are the cursor.
"""

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from apps.audit.models import Event

WINDOW = 10_000  # places looked at by one request, however few of them are wanted
LOOK_EVERY = 1.0  # seconds
LONGEST_WAIT = 25  # seconds: shorter than fronts wait for an answer


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


def await_changes(
    since: int, *, limit: int, kinds: Sequence[str] = (), seconds: float = 0
) -> Changes:
    """As `changes_since`; where there is nothing yet, the answer waits for it so long.

    Who waits holds a thread of the web server: a quarter of them at most, everybody else is
    answered at once.
    """
    found = changes_since(since, limit=limit, kinds=kinds)
    if _is_worth_telling(found) or seconds <= 0 or not _places().acquire(blocking=False):
        return found
    try:
        until = time.monotonic() + min(seconds, LONGEST_WAIT)
        while not _is_worth_telling(found) and (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, LOOK_EVERY))
            found = changes_since(found.last, limit=limit, kinds=kinds)
        return found
    finally:
        _places().release()


def _is_worth_telling(found: Changes) -> bool:
    return bool(found.results or found.more)


@functools.cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings.OPENPACS_WEB_THREADS // 4)
