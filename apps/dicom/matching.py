"""Matching keys against a data set in hand: for attributes that no index knows (PS3.4 C.2.2.2).

Data sets are DICOM JSON. The rules are those that `lookups` writes as SQL.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from pydicom.datadict import tag_for_keyword

from apps.dicom.dates import parse_date_range, parse_datetime, parse_time_range
from apps.dicom.json import JsonDataset
from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.names import search_form
from apps.dicom.writing import value_text

_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})


def fits(keys: Iterable[Key], found: JsonDataset) -> bool:
    """Does a data set fit all keys? Keys of one sequence have to fit within one item."""
    return _fits([(key.path, key) for key in keys], found)


def wildcard_fits(pattern: str, text: str) -> bool:
    """`*` and `?` against a text, in time proportional to both: no pattern is expensive."""
    at = start = 0
    star, resume = -1, 0
    while at < len(text):
        if start < len(pattern) and pattern[start] == "*":
            star, resume = start, at
            start += 1
        elif start < len(pattern) and pattern[start] in ("?", text[at]):
            at, start = at + 1, start + 1
        elif star >= 0:
            resume += 1
            at, start = resume, star + 1
        else:
            return False
    return not pattern[start:].strip("*")


def name_fits(value: str, name: str) -> bool:
    """A person name as asked for, against one as stored: whole, or any group of it."""
    pattern = search_form(value)
    groups = [name, *name.split("=")]
    return any(wildcard_fits(pattern, search_form(group)) for group in groups)


def name_fits_fuzzily(value: str, name: str) -> bool:
    """Each word asked for begins a word of the name (PS3.18 8.3.4.2: fuzzy as we define it)."""
    words = search_form(name).split()
    asked = search_form(value.replace("*", " ").replace("?", " ")).split()
    return all(any(word.startswith(one) for word in words) for one in asked)


def tag_of(name: str) -> str:
    """The tag of a step of a key's path as DICOM JSON writes it."""
    tag = tag_for_keyword(name)
    return name if tag is None else f"{tag:08X}"


def _fits(keys: Sequence[tuple[tuple[str, ...], Key]], found: JsonDataset) -> bool:
    inner: dict[str, list[tuple[tuple[str, ...], Key]]] = {}
    for path, key in keys:
        if key.matching is Matching.UNIVERSAL:
            continue
        if len(path) > 1:
            inner.setdefault(tag_of(path[0]), []).append((path[1:], key))
        elif not _value_fits(key, found.get(tag_of(path[0]), {})):
            return False
    return all(
        any(_fits(below, item) for item in found.get(tag, {}).get("Value", []))
        for tag, below in inner.items()
    )


def _value_fits(key: Key, element: dict[str, Any]) -> bool:
    if key.matching is Matching.EMPTY:
        return _is_empty(element)
    vr = element.get("vr", key.vr)
    texts = [value_text(one).strip() for one in element.get("Value", [])]
    found = (any(_text_fits(vr, key, value, text) for text in texts) for value in key.values)
    return all(found) if key.matching is Matching.MULTIPLE else any(found)


def _is_empty(element: dict[str, Any]) -> bool:
    """Absent, of no length, or without an item (PS3.4 C.2.2.2.7)."""
    if "BulkDataURI" in element or "InlineBinary" in element:
        return False
    values = element.get("Value", [])
    return not values or (element.get("vr") != "SQ" and not any(map(_said, values)))


def _said(value: Any) -> bool:
    return value not in (None, "", {})


def _text_fits(vr: str, key: Key, value: str, text: str) -> bool:
    if vr == "PN":
        return name_fits(value, text)
    if vr in ("DA", "TM", "DT"):
        return _moment_fits(vr, key, value, text)
    if vr in _NUMBERS:
        return _same_number(key, value, text)
    if vr == "UI":
        return value == text
    return wildcard_fits(value, text)


def _same_number(key: Key, value: str, text: str) -> bool:
    try:
        asked = float(value)
    except ValueError:
        raise BadKeyError(f"{key.name}: not a number") from None
    try:
        return asked == float(text)
    except ValueError:
        return False


def _moment_fits(vr: str, key: Key, value: str, text: str) -> bool:
    """Dates, times and moments: stored and asked for are both spans, and have to overlap."""
    if vr == "DT":
        return _datetime_fits(value, text)
    parse: Any = parse_date_range if vr == "DA" else parse_time_range
    asked, stored = parse(value), parse(text)
    if asked is None:
        raise BadKeyError(f"{key.name}: not a date or time, or range of them")
    if stored is None or stored.start is None:
        return False
    return not (
        (asked.start and stored.start < asked.start) or (asked.end and stored.start > asked.end)
    )


def _datetime_fits(value: str, text: str) -> bool:
    # A dash before four digits at an end is the sign of an offset from UTC, unless it is a range.
    start, dash, end = re.sub(r"-((?:1[0-2]|0\d)[03]0)(?=$|-)", r"~\1", value).partition("-")
    first, last = (one.replace("~", "-") for one in (start, end if dash else start))
    stored = parse_datetime(text, zone=UTC)
    if stored is None:
        return False
    after = parse_datetime(first, zone=UTC) if first else None
    before = parse_datetime(last, zone=UTC) if last else None
    if not dash:
        return text.startswith(first) or after == stored
    return (after is None or after <= stored) and (before is None or stored <= before)
