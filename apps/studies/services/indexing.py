"""Writing the rows of a batch: parents found or inserted, locked, counted."""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection, models
from django.utils import timezone

from apps.audit.services import Origin
from apps.dicom.names import search_form
from apps.dicom.sop_classes import DERIVED_MODALITIES, is_derived
from apps.studies.models import Instance, Series, Study
from apps.studies.services.arriving import correct_arrivals
from apps.studies.services.incoming import Incoming
from apps.studies.services.matching import match_automatically
from apps.studies.services.rejecting import note_again, recount, wide_rejections
from apps.studies.spool import received_at

ROWS_AT_ONCE = 50  # in one INSERT: SQLite takes no more than some thousand values


class Known(NamedTuple):
    """What the index says of a stored instance."""

    pk: int
    file_name: str
    sha256: str
    transfer_syntax_uid: str
    sop_class_uid: str
    overlay: int
    rejection_id: int | None


def known_instances(uids: Sequence[str]) -> dict[str, Known]:
    """The stored ones of these SOP Instance UIDs.

    In SQL of its own: asked twice of every batch, and mostly none is found.
    """
    if not uids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_known_statement(len(uids)), list(uids))
        return {uid: Known(*rest) for uid, *rest in cursor.fetchall()}


@functools.lru_cache(maxsize=256)
def _known_statement(uids: int) -> str:
    names = ["sop_instance_uid", *("id" if name == "pk" else name for name in Known._fields)]
    columns, table = ", ".join(map(_quoted, names)), _quoted(Instance._meta.db_table)
    marks = ", ".join(["%s"] * uids)
    return f"SELECT {columns} FROM {table} WHERE {_quoted(names[0])} IN ({marks})"  # noqa: S608 - names of ours alone


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))


def index_batch(
    fresh: list[Incoming], names: dict[Path, str], *, origin: Origin, announce: bool = True
) -> set[str]:
    """Write all rows of a batch, in the caller's transaction; returns the UIDs that are new.

    `announce` records that new studies were received, and looks for their orders.
    Parents are locked in the order of their UIDs. Whoever holds the lock of a study is the
    only one to add to it, so counters need no second look.
    """
    if not fresh:
        return set()
    studies = _studies(fresh)
    series = _series(fresh, studies)
    rejections = wide_rejections(studies.values(), series.values())
    stored = _instances(fresh, names, studies, series, rejections, origin=origin)
    own: dict[str, list[Incoming]] = {uid: [] for uid in studies}
    for one in stored:
        own[one.study_instance_uid].append(one)
    for uid, study in studies.items():
        is_new = study.revision == 0
        _count(study, own[uid], series)
        if own[uid] and _may_be_rejected(study, own[uid], series):
            recount(study)
        if own[uid]:
            correct_arrivals(study, own[uid], origin=origin)
        if own[uid] and is_new and announce:
            match_automatically(study, origin=origin, announce=True)
    return {one.sop_instance_uid for one in stored}


def _studies(fresh: list[Incoming]) -> dict[str, Study]:
    # Of a study that comes at once its images say what it is, whatever lies before them.
    images_last = sorted(fresh, key=_is_derived)[::-1]
    first = {one.study_instance_uid: one for one in images_last}
    found = _locked(first)
    if missing := sorted(first.keys() - found.keys()):
        now = timezone.now()
        rows = [
            Study(study_instance_uid=uid, last_instance_at=now, **first[uid].study)
            for uid in missing
        ]
        Study.everything.bulk_create(rows, ignore_conflicts=True)
        found |= _locked(missing)
    return found


def _locked(uids: Iterable[str]) -> dict[str, Study]:
    rows = Study.everything.select_for_update().filter(study_instance_uid__in=list(uids))
    return {row.study_instance_uid: row for row in rows.order_by("study_instance_uid")}


def _series(fresh: list[Incoming], studies: dict[str, Study]) -> dict[str, Series]:
    first = {one.series_instance_uid: one for one in reversed(fresh)}
    found = _series_rows(first)
    if missing := sorted(first.keys() - found.keys()):
        rows = [
            Series(
                series_instance_uid=uid,
                study=studies[first[uid].study_instance_uid],
                **first[uid].series,
            )
            for uid in missing
        ]
        Series.everything.bulk_create(rows, ignore_conflicts=True)
        found |= _series_rows(missing)
    return found


def _series_rows(uids: Iterable[str]) -> dict[str, Series]:
    rows = Series.everything.filter(series_instance_uid__in=list(uids))
    return {row.series_instance_uid: row for row in rows}


def _instances(
    fresh: list[Incoming],
    names: dict[Path, str],
    studies: dict[str, Study],
    series: dict[str, Series],
    rejections: dict[int, int],
    *,
    origin: Origin,
) -> list[Incoming]:
    """Insert instances; returns those whose row is ours and new."""
    # Seen under the lock of their study: another worker may have stored the very same file.
    before = known_instances([one.sop_instance_uid for one in fresh])
    new = [
        one
        for one in fresh
        if one.sop_instance_uid not in before
        # A series belongs to one study: an object that says otherwise is kept aside.
        and series[one.series_instance_uid].study_id == studies[one.study_instance_uid].pk
    ]
    if rejections:
        keys = {one.sop_instance_uid: series[one.series_instance_uid].pk for one in new}
        note_again({uid: rejections.get(key) for uid, key in keys.items()}, origin=origin)
    inserted = 0
    for start in range(0, len(new), ROWS_AT_ONCE):
        part = new[start : start + ROWS_AT_ONCE]
        rows = [
            _row(one, names[one.path], series[one.series_instance_uid], rejections) for one in part
        ]
        inserted += _insert(rows)
    if inserted == len(new):
        return new
    # Somebody stored one of these UIDs in another study at the same moment.
    after = known_instances([one.sop_instance_uid for one in new])
    return [one for one in new if after[one.sop_instance_uid].file_name == names[one.path]]


def _row(one: Incoming, name: str, series: Series, rejections: dict[int, int]) -> dict[str, Any]:
    return {
        "sop_instance_uid": one.sop_instance_uid,
        "series_id": series.pk,
        "file_name": name,
        "size": one.size,
        "sha256": one.sha256,
        "received_at": received_at(one.path.name),
        "rejection_id": rejections.get(series.pk),
        **one.instance,
    }


def _insert(rows: list[dict[str, Any]]) -> int:
    """INSERT rows that are not there yet; how many were new.

    In SQL of its own: the ORM needs five times as long for a row, more than everything
    else that is done for an image.
    """
    values = [column.of(row) for row in rows for column in _columns()]
    with connection.cursor() as cursor:
        cursor.execute(_insert_statement(len(rows)), values)
        return int(cursor.rowcount)


@functools.cache
def _fields() -> "tuple[models.Field[Any, Any], ...]":
    return tuple(field for field in Instance._meta.concrete_fields if not field.primary_key)


class Column(NamedTuple):
    """How a value gets into its column."""

    name: str
    default: Callable[[], Any]
    adapt: Callable[[Any], Any] | None  # None: as it is

    def of(self, row: dict[str, Any]) -> Any:
        value = row[self.name] if self.name in row else self.default()
        return value if self.adapt is None or value is None else self.adapt(value)


@functools.cache
def _columns() -> tuple[Column, ...]:
    return _columns_of(_fields())


def _columns_of(fields: "Iterable[models.Field[Any, Any]]") -> tuple[Column, ...]:
    return tuple(Column(one.attname, one.get_default, _adapter(one)) for one in fields)


@functools.cache
def _insert_statement(rows: int) -> str:
    columns = ", ".join(_quoted(str(field.column)) for field in _fields())
    values = ", ".join([f"({', '.join(['%s'] * len(_fields()))})"] * rows)
    table = _quoted(Instance._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608 - names of ours alone


def _adapter(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    if isinstance(field, models.JSONField):
        return lambda value: connection.ops.adapt_json_value(value, field.encoder)
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    return None


def _may_be_rejected(study: Study, own: list[Incoming], series: dict[str, Series]) -> bool:
    """Is any of the rejections that hold here about what has just come?"""
    return study.status == Study.Status.REJECTED or any(
        series[one.series_instance_uid].rejection_id for one in own
    )


def _count(study: Study, own: list[Incoming], series: dict[str, Series]) -> None:
    """Bring a locked study's copies and counters up to date."""
    if not own:
        if study.revision == 0:
            study.delete()
        return
    touched: dict[str, Series] = {}
    for one in own:
        row = touched.setdefault(one.series_instance_uid, series[one.series_instance_uid])
        study.series_count += row.revision == 0
        row.revision += 1
        row.instance_count += 1
        study.size += one.size
    _update_counts(touched.values())
    changed = _fill_blanks(study, own)
    study.instance_count += len(own)
    study.patient_search_name = search_form(study.patient_name)[:324]
    study.modalities = _joined([*study.modality_list, *(one.modality for one in own)])
    study.revision += 1
    study.last_instance_at = timezone.now()
    if study.status == Study.Status.AVAILABLE:
        study.status = Study.Status.RECEIVING
    if changed:
        study.save(update_fields=[*_COUNTED, *changed])
    else:
        _update_counted(study)


# What every batch changes in a study.
_COUNTED = (
    *("series_count", "instance_count", "size", "modalities", "revision"),
    *("last_instance_at", "status", "patient_search_name"),
)


def _update_counted(study: Study) -> None:
    """In SQL of its own, as above: done for every study of every batch."""
    values = [column.of({column.name: getattr(study, column.name)}) for column in _counted()]
    with connection.cursor() as cursor:
        cursor.execute(_counted_statement(), [*values, study.pk])


@functools.cache
def _counted() -> "tuple[Column, ...]":
    return _columns_of(one for one in Study._meta.concrete_fields if one.name in _COUNTED)


@functools.cache
def _counted_statement() -> str:
    changes = ", ".join(f"{_quoted(column.name)} = %s" for column in _counted())
    return f"UPDATE {_quoted(Study._meta.db_table)} SET {changes} WHERE id = %s"  # noqa: S608 - names of ours alone


def _update_counts(rows: Iterable[Series]) -> None:
    """In SQL of its own, as above: done for every series of every batch."""
    table = _quoted(Series._meta.db_table)
    statement = f"UPDATE {table} SET revision = %s, instance_count = %s WHERE id = %s"  # noqa: S608 - names of ours alone
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(one.revision, one.instance_count, one.pk) for one in rows])


def _fill_blanks(study: Study, own: list[Incoming]) -> set[str]:
    """Later objects add what is missing and change nothing: a derived SR often knows less.

    Returns the columns that were filled.
    """
    filled = set()
    if not set(study.modality_list) - DERIVED_MODALITIES:
        filled = _follow_images(study, own)
    different = {id(one.study): one.study for one in own}  # images of a study mostly share one
    for columns in different.values():
        for column, value in columns.items():
            if value and not getattr(study, column):
                setattr(study, column, value)
                filled.add(column)
    return filled


def _follow_images(study: Study, own: list[Incoming]) -> set[str]:
    """The first image says what a study is of which only reports and the like were here.

    In whatever order files come, or are read to rebuild the index, the same is known.
    """
    image = next((one for one in own if not _is_derived(one)), None)
    said = {column: value for column, value in image.study.items() if value} if image else {}
    for column, value in said.items():
        setattr(study, column, value)
    return set(said)


def _is_derived(one: Incoming) -> bool:
    return is_derived(one.instance["sop_class_uid"])


def _joined(modalities: Iterable[str]) -> str:
    known = sorted({one for one in modalities if one})
    return ("\\" + "\\".join(known) + "\\")[:128] if known else ""
