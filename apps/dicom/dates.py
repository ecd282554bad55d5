"""Dates and times as DICOM writes them: DA, TM, DT, partial dates, ranges (PS3.5 6.2).

Parsers answer None for what they cannot read: a bad date in a header is no reason to
refuse an image.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Generic, TypeVar

T = TypeVar("T", date, time)

# The dotted and coloned forms are those of ACR-NEMA (PS3.5 table 6.2-1, notes to DA and TM).
_DATE = re.compile(r"(\d{4})(?:[.-]?(\d{2})(?:[.-]?(\d{2}))?)?")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6})\d*)?)?)?")
_DATETIME = re.compile(r"(\d{4,8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")
_PRECISION = {1: "year", 2: "month", 3: "day"}


@dataclass(frozen=True)
class Range(Generic[T]):
    """From `start` to `end`, both included; None: open on that side (PS3.4 C.2.2.2.5)."""

    start: T | None
    end: T | None


def parse_date(text: str) -> date | None:
    """A full DA, else None."""
    parsed = parse_partial_date(text)
    return parsed[0] if parsed and parsed[1] == "day" else None


def parse_partial_date(text: str) -> tuple[date, str] | None:
    """`1980`, `198005` or `19800517` as its first day and `year`, `month` or `day`."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    parts = [int(part) for part in found.groups() if part]
    try:
        first = date(*[*parts, 1, 1][:3])
    except ValueError:
        return None
    return first, _PRECISION[len(parts)]


def partial_da(text: str) -> str:
    """A date as DA writes it, to the year or month where no more is known; empty if unreadable."""
    parsed = parse_partial_date(text)
    return format_date(*parsed) if parsed else ""


def format_date(day: date | None, precision: str = "day") -> str:
    """DA; shortened to the month or year where only that is known; empty for None."""
    if day is None:
        return ""
    return day.isoformat().replace("-", "")[: {"year": 4, "month": 6}.get(precision, 8)]


def parse_time(text: str) -> time | None:
    """A TM of any precision; second 60 (a leap second) is read as 59."""
    spread = _time_spread(text)
    return spread[0] if spread else None


def format_time(moment: time | None) -> str:
    """TM to the second, with a fraction only where there is one; empty for None."""
    if moment is None:
        return ""
    return moment.strftime("%H%M%S.%f" if moment.microsecond else "%H%M%S")


def parse_datetime(text: str, *, zone: tzinfo) -> datetime | None:
    """A DT; without an offset of its own it is taken to be in `zone`."""
    found = _DATETIME.fullmatch(text.strip())
    if found is None:
        return None
    day = parse_partial_date(found[1])
    moment = parse_time(found[2]) if found[2] else time()
    if day is None or moment is None:
        return None
    return datetime.combine(day[0], moment, _offset(found[3]) or zone)


def format_datetime(moment: datetime | None) -> str:
    """DT with the offset from UTC where the moment has one; empty for None."""
    if moment is None:
        return ""
    return format_date(moment.date()) + format_time(moment.time()) + moment.strftime("%z")[:5]


def parse_date_range(text: str) -> Range[date] | None:
    """`a-b`, `a-`, `-b` or one date (partial: the whole month or year); else None."""
    start, end = _ends(text)
    first = parse_partial_date(start) if start else None
    last = parse_partial_date(end) if end else None
    if (start and first is None) or (end and last is None) or not (start or end):
        return None
    return Range(first[0] if first else None, _last_day(*last) if last else None)


def parse_time_range(text: str) -> Range[time] | None:
    """As for dates; `10` is 10:00:00 to 10:59:59.999999, so `10-11` ends before noon."""
    start, end = _ends(text)
    first = _time_spread(start) if start else None
    last = _time_spread(end) if end else None
    if (start and first is None) or (end and last is None) or not (start or end):
        return None
    return Range(first[0] if first else None, last[1] if last else None)


def _ends(text: str) -> tuple[str, str]:
    start, dash, end = text.strip().partition("-")
    return (start.strip(), end.strip()) if dash else (start, start)


def _last_day(first: date, precision: str) -> date:
    if precision == "year":
        return date(first.year, 12, 31)
    if precision == "month":
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first


def _time_spread(text: str) -> tuple[time, time] | None:
    """The first and last microsecond that a TM of its precision names."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute, second, fraction = found.groups()
    micro = (fraction or "").ljust(6, "0")
    micro_end = (fraction or "").ljust(6, "9")
    try:
        return (
            time(int(hour), int(minute or 0), min(int(second or 0), 59), int(micro)),
            time(int(hour), int(minute or 59), min(int(second or 59), 59), int(micro_end)),
        )
    except ValueError:
        return None


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:])
    if minutes >= 24 * 60:
        return None
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
