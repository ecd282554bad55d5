"""The day of a room in five-minute slots, reckoned in UTC so that clock changes do no harm."""

import datetime
from collections.abc import Iterable
from itertools import islice

from django.utils import timezone

from apps.scheduling.models import SLOT_MINUTES, BookedSlot, Resource

SLOT = datetime.timedelta(minutes=SLOT_MINUTES)
OFFER_EVERY_MINUTES = 15  # what is offered starts on the quarter hour
SEARCH_DAYS = 14
END_OF_DAY = datetime.time(23, 59)  # closing at 23:59 means open until midnight

Span = tuple[datetime.datetime, datetime.datetime]


def slots_of(starts_at: datetime.datetime, ends_at: datetime.datetime) -> list[datetime.datetime]:
    """The starts of all slots an appointment touches, in UTC."""
    at = _floor(starts_at)
    found = []
    while at < ends_at:
        found.append(at)
        at += SLOT
    return found


def is_open(resource: Resource, starts_at: datetime.datetime, ends_at: datetime.datetime) -> bool:
    """Is the room open all that time? A room without opening hours always is."""
    if not resource.opening_hours.exists():
        return True
    day = timezone.localtime(starts_at, timezone.get_default_timezone()).date()
    return any(
        opens <= starts_at and ends_at <= closes for opens, closes in open_spans(resource, day)
    )


def open_spans(resource: Resource, day: datetime.date) -> list[Span]:
    """When the room is open on a day of the site's zone, as UTC instants."""
    hours = list(resource.opening_hours.all())
    if not hours:
        return [(_instant(day, datetime.time()), _instant(day, END_OF_DAY))]
    today = [one for one in hours if one.weekday == day.weekday()]
    return [(_instant(day, one.opens), _instant(day, one.closes)) for one in today]


def free_slots(resource: Resource, *, day: datetime.date, minutes: int) -> list[datetime.datetime]:
    """Times of a day from now on at which the room is free for so many minutes, ascending."""
    spans = open_spans(resource, day)
    if not spans:
        return []
    taken = _taken(resource, min(begin for begin, _ in spans), max(end for _, end in spans))
    return [
        start for span in spans for start in _starts(span, minutes) if _fits(start, minutes, taken)
    ]


def next_free(
    resource: Resource, *, after: datetime.datetime, minutes: int, count: int = 3
) -> list[datetime.datetime]:
    """The next `count` free times from `after` on, looking two weeks ahead."""
    first = timezone.localtime(after, timezone.get_default_timezone()).date()
    days = (first + datetime.timedelta(days=number) for number in range(SEARCH_DAYS))
    free = (start for day in days for start in free_slots(resource, day=day, minutes=minutes))
    return list(islice((start for start in free if start >= after), count))


def _starts(span: Span, minutes: int) -> Iterable[datetime.datetime]:
    begin, end = span
    step = datetime.timedelta(minutes=OFFER_EVERY_MINUTES)
    length = datetime.timedelta(minutes=minutes)
    now = timezone.now()
    at = begin
    while at + length <= end:
        if at >= now:
            yield at
        at += step


def _fits(start: datetime.datetime, minutes: int, taken: set[datetime.datetime]) -> bool:
    return taken.isdisjoint(slots_of(start, start + datetime.timedelta(minutes=minutes)))


def _taken(
    resource: Resource, begin: datetime.datetime, end: datetime.datetime
) -> set[datetime.datetime]:
    rows = BookedSlot.objects.filter(
        resource=resource, starts_at__gte=_floor(begin), starts_at__lt=end
    )
    return set(rows.values_list("starts_at", flat=True))


def _instant(day: datetime.date, clock: datetime.time) -> datetime.datetime:
    # Into UTC at once: times of one zone compare by the clock, wrong on the night of a change.
    if clock >= END_OF_DAY:
        day, clock = day + datetime.timedelta(days=1), datetime.time()
    local = datetime.datetime.combine(day, clock, timezone.get_default_timezone())
    return local.astimezone(datetime.UTC)


def _floor(at: datetime.datetime) -> datetime.datetime:
    utc = at.astimezone(datetime.UTC)
    return utc.replace(minute=utc.minute - utc.minute % SLOT_MINUTES, second=0, microsecond=0)
