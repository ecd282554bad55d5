"""Pages of the list of studies whose cost does not grow with the archive.

A page is a stretch of an index (date, number of arrival, name) behind the last row of the
page before. Where the conditions name few studies through an index, only these are sorted.
Else the list is walked: at most `STRETCH` rows are looked at for one page, and a page that
found less than it may hold says how far it came (`reached`) and where to go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import BooleanField, F, Func, Max, Q, QuerySet, Value

from apps.studies.models import Study
from apps.studies.services.narrowing import Term, Wanted, by_days, terms, whole

PAGE_SIZE = 50
STRETCH = 20_000  # rows of the index that one page looks at
FEW = 2_000  # studies that are sorted without an index
TOLD = 100  # new studies that are counted


@dataclass(frozen=True)
class Order:
    """A column that an index sorts by; `id` breaks ties."""

    column: str
    descending: bool

    @property
    def has_nulls(self) -> bool:
        return self.column == "study_date"


ORDERS = {
    f"{sign}{name}": Order(column, bool(sign))
    for name, column in (
        ("date", "study_date"),
        ("received", "id"),
        ("name", "patient_search_name"),
    )
    for sign in ("-", "")
}
USUAL_ORDER = "-date"


@dataclass(frozen=True)
class Page:
    """Studies in order, and what is known of the rest.

    `next` is where the next page begins, empty at the end; `reached` the day up to which was
    looked, where that was before the page was full. `total` is exact, None where unknown.
    `partly`: what was typed was looked for at the beginning of names only.
    """

    studies: list[Study]
    next: str = ""
    reached: date | None = None
    total: int | None = None
    partly: bool = False

    @property
    def unfinished(self) -> bool:
        """Was this page cut short?"""
        return bool(self.next) and len(self.studies) < PAGE_SIZE


@dataclass(frozen=True)
class _Search:
    """The rows that fit, and how they are to be found."""

    rows: QuerySet[Study]
    order: Order
    frame: Q  # what the order's own index narrows by
    bounded: bool  # must be walked in stretches
    known: bool  # few: they can be counted
    partly: bool


def list_studies(
    rows: QuerySet[Study],
    wanted: Wanted,
    *,
    order: str = USUAL_ORDER,
    after: str = "",
    inside: bool = False,
) -> Page:
    """A page of `rows` that fit, behind the page that ended with the key `after`.

    `inside` looks through names for words in the middle, where only a walk finds these.
    A key that is none begins anew.
    """
    search = _prepare(rows, wanted, ORDERS.get(order, ORDERS[USUAL_ORDER]), inside=inside)
    page = _read(search, _position(search.order, after))
    if after:
        return page
    total = search.rows.count() if search.known else None
    return replace(page, total=total if page.next else len(page.studies))


def new_studies(rows: QuerySet[Study], wanted: Wanted, *, newest: int) -> list[int]:
    """Keys of studies that fit and came after the one of the key `newest`, TOLD + 1 at most."""
    fitting = whole([*terms(wanted), by_days(wanted)])
    came = rows.filter(fitting, pk__gt=newest, pk__lte=newest + STRETCH)
    return list(came.order_by("pk").values_list("pk", flat=True)[: TOLD + 1])


def newest_study() -> int:
    """The key of the study that came last."""
    return Study.everything.aggregate(newest=Max("pk"))["newest"] or 0


def page_key(study: Study, order: str) -> str:
    """Where a page ends with this study."""
    return study.page_key if ORDERS[order].has_nulls else str(study.pk)


def _prepare(rows: QuerySet[Study], wanted: Wanted, order: Order, *, inside: bool) -> _Search:
    asked = terms(wanted)
    own_only = rows.query.where != Study.objects.all().query.where
    frame = wanted.days if order.has_nulls else Q()
    if wanted.days and not order.has_nulls:
        asked.append(by_days(wanted))
    few, partly = _few(asked, inside=inside)
    rows = rows.filter(frame, whole(asked))
    if few is not None:
        rows = rows.filter(pk__in=few)
    return _Search(
        rows=rows,
        order=order,
        frame=frame,
        bounded=few is None and (bool(asked) or own_only),
        known=few is not None,
        partly=partly,
    )


def _few(asked: Iterable[Term], *, inside: bool) -> tuple[set[int] | None, bool]:
    """The only studies that come into question, where an index names few."""
    for term in asked:
        if term.keys is None or (inside and not term.complete):
            continue
        found = set(term.keys[: FEW + 1])
        if len(found) <= FEW and (found or term.complete):
            return found, not term.complete
    return None, False


def _position(order: Order, after: str) -> tuple[Any, int] | None:
    """Value and key of the study that the page before ended with."""
    day, _, number = after.rpartition("_")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    key = int(number)
    if order.column == "id":
        return key, key
    if not order.has_nulls:
        value = Study.everything.filter(pk=key).values_list(order.column, flat=True).first()
        return None if value is None else (value, key)
    try:
        return (date.fromisoformat(day) if day else None), key
    except ValueError:
        return None


def _read(search: _Search, position: tuple[Any, int] | None) -> Page:
    found: list[Study] = []
    for part, columns, start in _parts(search.order, position):
        wanted = PAGE_SIZE + 1 - len(found)
        stretch = _Stretch(search, part, columns, start)
        end = stretch.end() if search.bounded else None
        found += stretch.studies(end, wanted)
        if len(found) > PAGE_SIZE:
            found = found[:PAGE_SIZE]
            return Page(found, _key(found[-1], search.order), partly=search.partly)
        if end is not None:
            day = end[0] if search.order.has_nulls and len(end) > 1 else None
            return Page(found, _end_key(end, search.order), day, partly=search.partly)
    return Page(found, partly=search.partly)


def _parts(
    order: Order, position: tuple[Any, int] | None
) -> list[tuple[Q, tuple[str, ...], tuple[Any, ...] | None]]:
    """The stretches of the list still to come: condition, columns of the order, start.

    Engines disagree where a null date sorts, so those without a date come in a part of
    their own, after all others.
    """
    if order.column == "id":
        return [(Q(), ("id",), position and position[1:])]
    if not order.has_nulls:
        return [(Q(), (order.column, "id"), position)]
    undated = Q(**{order.column: None})
    if position and position[0] is None:
        return [(undated, ("id",), position[1:])]
    # Behind a date there are dates only: said twice, SQLite would not enter at the row.
    dated = Q() if position else ~undated
    return [(dated, (order.column, "id"), position), (undated, ("id",), None)]


@dataclass(frozen=True)
class _Stretch:
    """The rows of one part of the list behind a position."""

    search: _Search
    part: Q
    columns: tuple[str, ...]
    start: tuple[Any, ...] | None

    def end(self) -> tuple[Any, ...] | None:
        """The last row that may be looked at; None: the part ends before."""
        rows = self._behind(Study.everything.filter(self.search.frame, self.part))
        found = rows.values_list(*self.columns)[STRETCH - 1 : STRETCH]
        return next(iter(found), None)

    def studies(self, end: tuple[Any, ...] | None, limit: int) -> list[Study]:
        rows = self._behind(self.search.rows.filter(self.part))
        if end is not None:
            rows = rows.filter(self._compared(">=" if self._descending else "<=", end))
        return list(rows[:limit])

    def _behind(self, rows: QuerySet[Study]) -> QuerySet[Study]:
        sign = "-" if self._descending else ""
        rows = rows.order_by(*(f"{sign}{column}" for column in self.columns))
        if self.start is None:
            return rows
        return rows.filter(self._compared("<" if self._descending else ">", self.start))

    @property
    def _descending(self) -> bool:
        return self.search.order.descending

    def _compared(self, operator: str, values: tuple[Any, ...]) -> Func:
        """`(study_date, id) < (..., ...)`: as a whole, so that the index is entered there."""
        here = _row(*(F(column) for column in self.columns))
        field: Any = Study._meta.get_field
        there = _row(
            *(
                Value(value, output_field=field(column))
                for column, value in zip(self.columns, values, strict=True)
            )
        )
        return Func(
            here,
            there,
            template="%(expressions)s",
            arg_joiner=f" {operator} ",
            output_field=BooleanField(),
        )


def _row(*columns: Any) -> Func:
    return Func(*columns, template="(%(expressions)s)", output_field=BooleanField())


def _key(study: Study, order: Order) -> str:
    return study.page_key if order.has_nulls else str(study.pk)


def _end_key(end: tuple[Any, ...], order: Order) -> str:
    if not order.has_nulls:
        return str(end[-1])
    return f"{end[0].isoformat()}_{end[1]}" if len(end) > 1 else f"_{end[0]}"
