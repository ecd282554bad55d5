"""From matching keys to database conditions: the one place where PS3.4 C.2.2.2 meets SQL."""

import json
from datetime import date, datetime, time
from typing import Any

from django.db.models import CharField, Lookup, Q, TextField

from apps.dicom.dates import Range, parse_date_range, parse_time_range
from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.names import search_form


@CharField.register_lookup
@TextField.register_lookup
class Wildcard(Lookup[Any]):
    """`field__wildcard="A*B?"`: the wildcards of DICOM, everything else literal, case counts."""

    lookup_name = "wildcard"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} LIKE %s ESCAPE '\\'", (*params, like_pattern(str(self.rhs)))

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """SQLite's LIKE takes upper and lower case for the same, and so reads no index."""
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} GLOB %s", (*params, str(self.rhs).replace("[", "[[]"))


@CharField.register_lookup
class Among(Lookup[Any]):
    """`field__among=[...]`: IN with a list of any length as one parameter."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY(%s)", (*params, list(self.rhs))

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        sql = f"{lhs} IN (SELECT value FROM json_each(%s))"  # noqa: S608 - the column's name
        return sql, (*params, json.dumps(list(self.rhs)))


def like_pattern(pattern: str) -> str:
    """`A*_?` as a LIKE pattern with backslash as escape: `A%\\__`."""
    for char in "\\%_":
        pattern = pattern.replace(char, f"\\{char}")
    return pattern.replace("*", "%").replace("?", "_")


def text_condition(field: str, key: Key) -> Q:
    """Codes, numbers and identifiers: single value, list or wildcard."""
    if key.matching is Matching.UNIVERSAL:
        return Q()
    if key.matching is Matching.WILDCARD:
        return Q(**{f"{field}__wildcard": key.value})
    if len(key.values) == 1:
        return Q(**{field: key.value})
    patterns = [one for one in key.values if key.vr != "UI" and ("*" in one or "?" in one)]
    condition = Q(**{f"{field}__among": [one for one in key.values if one not in patterns]})
    for pattern in patterns:
        condition |= Q(**{f"{field}__wildcard": pattern})
    return condition


def integer_condition(field: str, key: Key) -> Q:
    """IS and the binary integers; raises BadKeyError for what is no number."""
    try:
        numbers = [int(value) for value in key.values]
    except ValueError:
        raise BadKeyError(f"{key.name}: not a number") from None
    if any(abs(number) > 2**31 - 1 for number in numbers):
        raise BadKeyError(f"{key.name}: number out of range")
    return Q(**{f"{field}__in": numbers}) if numbers else Q()


def name_condition(field: str, key: Key, *, several_groups: Q | None = None) -> Q:
    """Person names against a column holding `search_form` of all groups in one line.

    Case and accents do not count (PS3.4 C.2.2.2.1 leaves this to us). A name written in
    one group only is compared whole; of rows for which `several_groups` is true the
    pattern may also fit one group.
    """
    condition = Q()
    for value in key.values:
        form = search_form(value)
        condition |= Q(**{f"{field}__wildcard": form})
        if several_groups is not None:
            parts = Q()
            for pattern in (f"{form} *", f"* {form}", f"* {form} *"):
                parts |= Q(**{f"{field}__wildcard": pattern})
            condition |= several_groups & parts
    return condition


def fuzzy_name_condition(field: str, key: Key) -> Q:
    """Each word asked for begins a word of the name (PS3.18 8.3.4.2: fuzzy as we define it)."""
    condition = Q()
    for word in search_form(key.value.replace("*", " ").replace("?", " ")).split():
        condition &= Q(**{f"{field}__startswith": word}) | Q(**{f"{field}__contains": f" {word}"})
    return condition


def date_condition(field: str, key: Key) -> Q:
    """A date, a list or a range against a date column; raises BadKeyError."""
    condition = Q()
    for value in key.values:
        span = parse_date_range(value)
        if span is None:
            raise BadKeyError(f"{key.name}: not a date or range of dates")
        condition |= range_condition(field, span)
    return condition


def time_condition(field: str, key: Key) -> Q:
    """A time, a list or a range against a time column; raises BadKeyError."""
    condition = Q()
    for value in key.values:
        span = parse_time_range(value)
        if span is None:
            raise BadKeyError(f"{key.name}: not a time or range of times")
        condition |= range_condition(field, span)
    return condition


def range_condition(field: str, span: Range[date] | Range[time]) -> Q:
    """`field` within a range that may be open on either side."""
    condition = Q()
    if span.start is not None:
        condition &= Q(**{f"{field}__gte": span.start})
    if span.end is not None:
        condition &= Q(**{f"{field}__lte": span.end})
    return condition


def period_condition(
    day: str, clock: str, *, start: datetime | None = None, end: datetime | None = None
) -> Q:
    """A date column and its time column as one moment between two (PS3.4 C.2.2.2.5.1)."""
    condition = Q()
    if start:
        later = Q(**{f"{day}__gt": start.date()}) | Q(**{f"{clock}__gte": start.time()})
        condition &= Q(**{f"{day}__gte": start.date()}) & later
    if end:
        sooner = Q(**{f"{day}__lt": end.date()}) | Q(**{f"{clock}__lte": end.time()})
        condition &= Q(**{f"{day}__lte": end.date()}) & sooner
    return condition
