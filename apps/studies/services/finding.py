"""Finding what fits a query, row by row, whatever its keys are: indexed, counted or stored."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from apps.dicom import lookups
from apps.dicom.json import JsonDataset
from apps.dicom.keys import Key, Matching, Terms
from apps.dicom.matching import fits, tag_of
from apps.studies.conditions import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS
from apps.studies.datasets import (
    CLASSES_IN_STUDY,
    PATIENT_COUNTS,
    UNIQUE_KEYS,
    Attribute,
    Level,
    attributes,
    below,
)
from apps.studies.models import Instance, Series, Study
from apps.studies.patience import TooMuchAsked
from apps.studies.services.outgoing import header_json
from apps.studies.services.statements import Statement, compiled, marker

ROWS, PAGE, PAGE_WITH_HEADERS = 500, 200, 25
_INDEXED = frozenset([*STUDY_KEYS, *SERIES_KEYS, *INSTANCE_KEYS])
# Keys whose single value goes into the statement as it is.
_EXACT = frozenset(
    name
    for known in (STUDY_KEYS, SERIES_KEYS, INSTANCE_KEYS)
    for name, (_, compare) in known.items()
    if compare is lookups.text_condition
)
_PATIENT_COLUMNS = ("patient_identifier", "patient_identifier_issuer", "patient_name")
_STUDY_OF = {Level.STUDY: "", Level.SERIES: "study__", Level.IMAGE: "series__study__"}
# How an instance is reached that speaks for a row, and the row's column that it is found by.
_REPRESENTED = {
    Level.PATIENT: ("series__study_id", "first_study"),
    Level.STUDY: ("series__study_id", "pk"),
    Level.SERIES: ("series_id", "pk"),
    Level.IMAGE: ("pk", "pk"),
}

# Every place is settled, so that pages are disjoint and complete; each begins with an index.
_NEWEST_FIRST = {
    Level.STUDY: ("-study_date", "-id"),
    Level.SERIES: ("-study_id", "number", "id"),
    Level.IMAGE: ("-series__study_id", "series_id", "number", "id"),
}
# Within a study as a viewer shows it.
_IN_A_STUDY = {
    Level.STUDY: ("id",),
    Level.SERIES: ("number", "id"),
    Level.IMAGE: ("series__number", "series_id", "number", "id"),
}

Row = tuple[Any, ...]
Visible = Callable[[type[Any]], QuerySet[Any]]
BulkAddress = Callable[[Instance, str], str]


def everything(model: type[Any]) -> QuerySet[Any]:
    """All rows, for peers that may see all."""
    rows: QuerySet[Any] = model._default_manager.all()
    return rows


def _path_alone(instance: Instance, path: str) -> str:
    return path


@dataclass(frozen=True)
class Shown:
    """One attribute of the answers: its place in a row, and its value as text."""

    tag: int
    attribute: Attribute
    place: int


@dataclass(frozen=True)
class Search:
    """A question to the index: what has to fit, and which tags are to be answered.

    `headers`: tags that only the stored headers know; `whole`: all that they have is wanted.
    `visible` gives the rows of a model that may be answered and counted. `bulk_address` gives
    the address of a value that headers leave out. Raises BadKeyError when it is asked.
    """

    level: Level
    keys: Sequence[Key]
    tags: Sequence[int]
    terms: Terms = field(default_factory=Terms)
    headers: frozenset[int] = frozenset()
    whole: bool = False
    visible: Visible = everything
    bulk_address: BulkAddress = _path_alone

    @cached_property
    def unindexed(self) -> list[Key]:
        """Keys that are compared with the stored headers."""
        computed = {*PATIENT_COUNTS, *below(self.level)}
        return [
            key
            for key in self.keys
            if key.matching is not Matching.UNIVERSAL
            and key.name not in _INDEXED
            and int(tag_of(key.path[0]), 16) not in computed
        ]

    @cached_property
    def shown(self) -> list[Shown]:
        """The attributes that rows hold, in the order of their tags."""
        known = attributes(self.level)
        indexed = [(tag, known[tag]) for tag in sorted(self.tags) if tag in known]
        shown = [Shown(tag, one, place) for place, (tag, one) in enumerate(indexed)]
        extra = len(self._columns)
        for tag in sorted(self.tags):
            if tag in PATIENT_COUNTS:
                shown.append(Shown(tag, Attribute("IS", ""), extra + PATIENT_COUNTS[tag]))
            elif tag == CLASSES_IN_STUDY and self.level is not Level.PATIENT:
                shown.append(Shown(tag, Attribute("UI", ""), extra + len(PATIENT_COUNTS)))
        return sorted(shown, key=lambda one: one.tag)

    @property
    def reads_headers(self) -> bool:
        return bool(self.headers or self.unindexed or self.whole)

    @cached_property
    def _read_tags(self) -> frozenset[int] | None:
        """What is read of headers; None: all, as makers' attributes stand anywhere."""
        tags = self.headers | {int(tag_of(key.path[0]), 16) for key in self.unindexed}
        return None if self.whole or any(tag >> 16 & 1 for tag in tags) else tags

    @cached_property
    def _is_plain(self) -> bool:
        return not (self.reads_headers or self._counts or CLASSES_IN_STUDY in self.tags)

    @cached_property
    def _counts(self) -> bool:
        return any(tag in PATIENT_COUNTS for tag in self.tags)

    @cached_property
    def _columns(self) -> list[str]:
        """Columns of the attributes, then those that more is looked up by."""
        known = attributes(self.level)
        columns = [known[tag].column for tag in sorted(self.tags) if tag in known]
        return [*columns, *self._helpers]

    @property
    def _helpers(self) -> list[str]:
        by = _REPRESENTED[self.level][1]
        if self.level is Level.PATIENT:
            return ["patient_identifier", "patient_identifier_issuer", "nameless", by]
        if self._is_plain:
            return []
        of = _STUDY_OF[self.level]
        return [*(of + column for column in _PATIENT_COLUMNS), of + "pk", by]

    def rows(self, *, limit: int, seconds: float) -> Generator[tuple[Row, JsonDataset]]:
        """Rows and what their headers say (empty where nobody asks), at most `limit`.

        `seconds`: how long headers may be looked through. Raises TooMuchAsked.
        """
        if self._names_few and (statement := self._statement(0, limit)) is not None:
            yield from ((row, {}) for row in statement.rows(self._asked))
            return
        found = self._query().order_by().values_list(*self._columns)
        size = ROWS if self._is_plain else self._page_size
        # The cursor is closed in this thread, whoever stops asking.
        cursor: Any = (found if self.unindexed else found[:limit]).iterator(size)
        with closing(cursor) as rows:
            if self._is_plain:
                yield from ((row, {}) for row in rows)
            else:
                yield from islice(self._completed(rows, size, seconds), limit)

    def page(self, *, offset: int, limit: int, seconds: float) -> list[tuple[Row, JsonDataset]]:
        """At most `limit` answers from `offset` on, in an order that every page shares.

        Not for patients. `seconds` as for `rows`; raises TooMuchAsked.
        """
        if (statement := self._statement(offset, limit)) is not None:
            return [(row, {}) for row in statement.rows(self._asked)]
        found = self._ordered()
        if self.unindexed:
            cursor: Any = found.iterator(self._page_size)
            with closing(cursor) as rows:
                fitting = self._completed(rows, self._page_size, seconds)
                return list(islice(fitting, offset, offset + limit))
        cut = found[offset : offset + limit]
        if self._is_plain:
            return [(row, {}) for row in cut]
        return list(self._completed(iter(cut), self._page_size, seconds))

    def _statement(self, offset: int, limit: int) -> Statement | None:
        """What was compiled before for such a search; None where its SQL is made anew."""
        if self.visible is not everything or not self._is_plain:
            return None
        if any(
            key.matching is not Matching.SINGLE or key.name not in _EXACT for key in self._compared
        ):
            return None
        marked = [
            replace(key, values=(marker(number),)) for number, key in enumerate(self._compared)
        ]
        alike = Search(self.level, tuple(marked), tuple(self.tags), self.terms)
        return _prepared(alike, offset, limit)

    @property
    def _asked(self) -> list[str]:
        return [key.value for key in self._compared]

    @property
    def _names_few(self) -> bool:
        """Is it about something that has a number? Its answers need not be streamed."""
        return bool(self._compared) and self.level is not Level.PATIENT

    @cached_property
    def _compared(self) -> list[Key]:
        return [key for key in self.keys if key.matching is not Matching.UNIVERSAL]

    def _ordered(self) -> QuerySet[Any]:
        return self._query().order_by(*self._order).values_list(*self._columns)

    @property
    def _order(self) -> Sequence[str]:
        uids = [key for key in self.keys if key.name == UNIQUE_KEYS[Level.STUDY]]
        in_a_study = any(key.matching is Matching.SINGLE for key in uids)
        return (_IN_A_STUDY if in_a_study else _NEWEST_FIRST)[self.level]

    @property
    def _page_size(self) -> int:
        return PAGE_WITH_HEADERS if self.reads_headers else PAGE

    def _query(self) -> QuerySet[Any]:
        models: dict[Level, Any] = {Level.SERIES: Series, Level.IMAGE: Instance}
        rows: Any = self.visible(models.get(self.level, Study))
        found: QuerySet[Any] = rows.answerable().matching(self.keys, self.terms)
        return found.patients() if self.level is Level.PATIENT else found  # type: ignore[attr-defined]  # studies, then

    def _completed(
        self, rows: Iterator[Row], size: int, seconds: float
    ) -> Iterator[tuple[Row, JsonDataset]]:
        spent = 0.0
        while page := list(islice(rows, size)):
            began = time.monotonic()
            made = list(self._page(page))
            spent += time.monotonic() - began
            yield from made
            if spent > seconds:
                raise TooMuchAsked("too many headers to look through")

    def _page(self, page: list[Row]) -> Iterator[tuple[Row, JsonDataset]]:
        """A fixed number of queries for all rows of a page."""
        counts = self._patient_counts(page)
        classes = self._classes(page)
        headers = self._headers(page)
        for row in page:
            header = headers.get(row[-1], {})
            if fits(self.unindexed, header):
                patient = tuple(row[len(row) - len(self._helpers) :][:3])
                numbers = counts.get(_keyed(patient), ("", "", ""))
                yield (*row, *numbers, classes.get(row[-2], "")), header

    def _patient_counts(self, page: Iterable[Row]) -> dict[tuple[str, ...], tuple[int, ...]]:
        if not self._counts:
            return {}
        start = len(self._helpers)
        patients = {_keyed(row[len(row) - start :][:3]) for row in page}
        studies: Any = self.visible(Study)
        return dict(studies.answerable().patient_counts(patients))

    def _classes(self, page: Iterable[Row]) -> dict[int, str]:
        if CLASSES_IN_STUDY not in self.tags or self.level is Level.PATIENT:
            return {}
        rows = (
            Instance.objects.filter(series__study__in={row[-2] for row in page})
            .order_by("series__study_id", "sop_class_uid")
            .values_list("series__study_id", "sop_class_uid")
            .distinct()
        )
        found: dict[int, list[str]] = {}
        for study, uid in rows:
            found.setdefault(study, []).append(uid)
        return {study: "\\".join(uids) for study, uids in found.items()}

    def _headers(self, page: Iterable[Row]) -> dict[int, JsonDataset]:
        if not self.reads_headers:
            return {}
        column, _ = _REPRESENTED[self.level]
        speakers = Instance.objects.representative(column, [row[-1] for row in page])
        return {
            key: header_json(one, partial(self.bulk_address, one), self._read_tags)
            for key, one in speakers.items()
        }


@lru_cache(maxsize=256)
def _prepared(search: Search, offset: int, limit: int) -> Statement | None:
    """The statement of a search whose values are markers."""
    return compiled(search._ordered()[offset : offset + limit], len(search.keys))


def _keyed(patient: Sequence[str]) -> tuple[str, str, str]:
    number, issuer, name = patient
    return number, issuer, "" if number else name
