"""The HL7 data types the house reads and writes: XPN, XCN, CX, HD, TS (2.5.1 chapter 2A)."""

import datetime
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from apps.hl7.messages import Segment, escape, join

_TS = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d))?)?)?)?)?(?:\.\d+)?([+-]\d{4})?"
)

_UNKNOWN = re.compile(r"(?<=^\d{4})00(?:00\d*)?$|(?<=^\d{6})00\d*$")


class FieldError(Exception):
    """A field holds something that is not of its type."""


@dataclass(frozen=True, kw_only=True)
class PersonName:
    """XPN: family^given^middle^suffix^prefix; the order of DICOM is prefix, then suffix."""

    family: str = ""
    given: str = ""
    middle: str = ""
    suffix: str = ""
    prefix: str = ""
    type_code: str = ""
    representation: str = ""

    @property
    def group(self) -> str:
        """The name as one group of a DICOM PN."""
        parts = [self.family, self.given, self.middle, self.prefix, self.suffix]
        return "^".join(parts).rstrip("^")


@dataclass(frozen=True, kw_only=True)
class Person:
    """XCN: who, with a number of their own."""

    identifier: str = ""
    family: str = ""
    given: str = ""
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """CX: a number, who issued it, and of which kind it is (table 0203)."""

    value: str
    namespace: str = ""
    type_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """TS: a point in time and how much of it was given: year, month, day or time."""

    at: datetime.datetime
    precision: str


def read_names(segment: Segment, field: int) -> list[PersonName]:
    """Every repetition of an XPN field that says something."""
    names = []
    for number in range(1, segment.repetitions(field) + 1):
        parts = segment.components(field, repetition=number) + [""] * 8
        names.append(
            PersonName(
                family=parts[0],
                given=parts[1],
                middle=parts[2],
                suffix=parts[3],
                prefix=parts[4],
                type_code=parts[6],
                representation=parts[7],
            )
        )
    return [name for name in names if name.group]


def read_person(segment: Segment, field: int) -> Person | None:
    """The first repetition of an XCN field; None where it is empty."""
    parts = segment.components(field) + [""] * 6
    person = Person(identifier=parts[0], family=parts[1], given=parts[2], prefix=parts[5])
    return person if any((person.identifier, person.family)) else None


def read_identifiers(segment: Segment, field: int) -> list[Identifier]:
    """Every number of a CX field. Of HD 4 the namespace, else the universal ID."""
    found: dict[tuple[str, str], Identifier] = {}
    for number in range(1, segment.repetitions(field) + 1):
        value = segment.get(field, 1, repetition=number)
        namespace = segment.get(field, 4, repetition=number) or segment.get(
            field, 4, repetition=number, subcomponent=2
        )
        type_code = segment.get(field, 5, repetition=number)
        if value and value != '""':
            one = Identifier(value=value, namespace=namespace, type_code=type_code)
            found.setdefault((value, namespace), one)
    return list(found.values())


def read_moment(text: str, *, zone: datetime.tzinfo) -> Moment | None:
    """A TS to its precision, in the sender's zone where it names no offset; None if empty.

    Raises FieldError on anything else, and on dates that the calendar does not have.
    """
    if not text:
        return None
    # Month or day 00: not known.
    match = _TS.fullmatch(_UNKNOWN.sub("", text))
    if match is None:
        raise FieldError("not a date and time (YYYYMMDDHHMMSS)")
    digits, offset = match.groups()[:6], match.group(7)
    year, month, day, hour, minute, second = (
        int(part) if part is not None else default
        for part, default in zip(digits, (1, 1, 1, 0, 0, 0), strict=True)
    )
    given = sum(part is not None for part in digits)
    precision = {1: "year", 2: "month", 3: "day"}.get(given, "time")
    try:
        tz = _offset(offset) if offset else zone
        at = datetime.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=tz)
        at.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise FieldError("not a date of the calendar") from error
    return Moment(at=at, precision=precision)


def write_moment(at: datetime.datetime, *, zone: ZoneInfo) -> str:
    """A TS with its offset: 20240117083000+0100."""
    return at.astimezone(zone).strftime("%Y%m%d%H%M%S%z")


def write_name(group: str, *, representation: str = "") -> str:
    """One group of a DICOM PN as an XPN of type L (legal)."""
    family, given, middle, prefix, suffix = (group.split("^") + [""] * 5)[:5]
    return join(family, given, middle, suffix, prefix, "", "L", representation)


def write_person(identifier: str, group: str) -> str:
    """Who, as an XCN: number, then the DICOM PN group in HL7's order."""
    family, given, middle, prefix, suffix = (group.split("^") + [""] * 5)[:5]
    return join(identifier, family, given, middle, suffix, prefix)


def write_identifier(value: str, namespace: str, type_code: str) -> str:
    """A CX: value^^^namespace^type."""
    return join(value, "", "", namespace, type_code)


def write_interpreter(identifier: str, group: str) -> str:
    """Who, as the first component of an NDL (OBR-32): subcomponents of a CNN."""
    family, given, middle, prefix, suffix = (group.split("^") + [""] * 5)[:5]
    parts = (identifier, family, given, middle, suffix, prefix)
    return "&".join(escape(part) for part in parts).rstrip("&")


def _offset(text: str) -> datetime.timezone:
    delta = datetime.timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return datetime.timezone(-delta if text[0] == "-" else delta)
