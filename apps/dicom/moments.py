"""Spans of time as DT keys ask for them: `a-b`, `a-`, `-b` or one moment (PS3.4 C.2.2.2.5)."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from apps.dicom.dates import parse_datetime

# A dash before four digits at an end is the sign of an offset from UTC (PS3.5 table 6.2-1).
_OFFSET = re.compile(r"-((?:1[0-2]|0\d)[0134][05])(?=$|-)")
_FIRST, _LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_STEPS = {
    8: timedelta(days=1),
    10: timedelta(hours=1),
    12: timedelta(minutes=1),
    14: timedelta(seconds=1),
}


def storable(moment: datetime) -> datetime:
    """The moment, or the nearest one that every time zone and database can write."""
    return min(max(moment, _FIRST), _LAST)


def parse_moment_range(
    text: str, *, zone: tzinfo
) -> tuple[datetime | None, datetime | None] | None:
    """First and last microsecond of what is asked for, None: open; None for what is no DT.

    A moment that is less than exact is the whole of it: `202605` is all of May.
    """
    start, dash, end = _OFFSET.sub(r"~\1", text.strip()).partition("-")
    first, last = (one.replace("~", "-") for one in (start, end if dash else start))
    before, after = _span(first, zone), _span(last, zone)
    if (first and before is None) or (last and after is None) or not (first or last):
        return None
    return (storable(before[0]) if before else None), (storable(after[1]) if after else None)


def _span(text: str, zone: tzinfo) -> tuple[datetime, datetime] | None:
    start = parse_datetime(text, zone=zone) if text else None
    if start is None:
        return None
    found = re.match(r"\d+(\.\d+)?", text)
    if found is None or found[1]:
        return start, start
    try:
        return start, _next(start, len(found[0])) - timedelta(microseconds=1)
    except (OverflowError, ValueError):
        return start, start  # the last of all days has no next one


def _next(start: datetime, digits: int) -> datetime:
    if digits == 4:
        return start.replace(year=start.year + 1)
    if digits == 6:
        return (start + timedelta(days=32)).replace(day=1)
    return start + _STEPS[digits]
