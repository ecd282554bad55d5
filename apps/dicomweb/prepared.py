"""Queries of viewers, written once.

A viewer asks for thousands of frames, one after the other. The ORM takes five times as long to
write such a query as the database takes to answer it, so what it wrote is kept, with marks
where the values of a request belong. Only for who may see everything: other users have
conditions of their own.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import orjson
from django.db import connection, models
from django.db.models.fields.json import KeyTransform

from apps.studies.models import Instance, Series, Study

M = TypeVar("M", bound=models.Model)
NUMBER = 987654321  # stands for the one number of a query, also within a path into JSON


def is_unlimited(rows: "models.QuerySet[Any]") -> bool:
    """Are these all rows there are?"""
    return not rows.query.where and not rows.query.distinct


def mark(name: str) -> str:
    """What stands for a text in a query."""
    return f"mark of {name}"


class Prepared:
    """A query of values, which `make` gives with marks; it is written when first asked."""

    def __init__(self, make: "Callable[[], models.QuerySet[Any, Any]]") -> None:
        self._make = make
        self._written: tuple[str, tuple[Any, ...]] | None = None

    def first(self, *, number: int = 0, **texts: str) -> list[Any] | None:
        """The first row with these values in place of the marks; None where there is none."""
        if self._written is None:
            self._written = self._make()[:1].query.sql_with_params()
        sql, params = self._written
        marks = {mark(name): text for name, text in texts.items()}
        with connection.cursor() as cursor:
            cursor.execute(sql, [_value(one, marks, number) for one in params])
            found = cursor.fetchone()
        return None if found is None else list(found)


def one_frame(
    study: str, series: str, instance: str, number: int
) -> tuple[Instance, list[int] | None] | None:
    """An answerable instance and where its frame (counted from 1) is; None where there is none."""
    found = _FRAME.first(study=study, series=series, instance=instance, number=max(number - 1, 0))
    if found is None:
        return None
    row = Instance.from_db(connection.alias, _INSTANCE, found[:-1])
    return row, None if found[-1] is None else orjson.loads(found[-1])


def one_series(study: str, series: str) -> Series | None:
    """An answerable series and its study, with what viewing them needs."""
    found = _SERIES_AND_STUDY.first(study=study, series=series)
    if found is None:
        return None
    row = Series.from_db(connection.alias, _SERIES, found[: len(_SERIES)])
    row.study = Study.from_db(connection.alias, _STUDY, found[len(_SERIES) :])
    return row


def _ordered(model: type[models.Model], needed: Iterable[str]) -> list[str]:
    """Columns in the order in which a row is made of them."""
    wanted = {*needed, "id"}
    return [one.attname for one in model._meta.concrete_fields if one.attname in wanted]


_INSTANCE = _ordered(
    Instance,
    (
        *("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid", "rows", "frames"),
        *("pixel_vr", "file_name", "sha256"),
    ),
)
_SERIES = _ordered(Series, ("series_instance_uid", "study_id", "revision", "instance_count"))
_STUDY = _ordered(Study, ("study_instance_uid", "patient_id", "accession_number", "status"))


def _frame_rows() -> "models.QuerySet[Any, Any]":
    rows: Any = Instance.objects.filter(
        sop_instance_uid=mark("instance"),
        series__series_instance_uid=mark("series"),
        series__study__study_instance_uid=mark("study"),
    )
    place = KeyTransform(NUMBER, "frame_table")
    found: models.QuerySet[Any, Any] = rows.answerable().order_by().values_list(*_INSTANCE, place)
    return found


def _series_rows() -> "models.QuerySet[Any, Any]":
    rows: Any = Series.objects.filter(
        series_instance_uid=mark("series"), study__study_instance_uid=mark("study")
    )
    of_study = [f"study__{name}" for name in _STUDY]
    found: models.QuerySet[Any, Any] = rows.answerable().order_by().values_list(*_SERIES, *of_study)
    return found


_FRAME, _SERIES_AND_STUDY = Prepared(_frame_rows), Prepared(_series_rows)


def _value(param: Any, marks: dict[str, str], number: int) -> Any:
    if param == NUMBER:
        return number
    if isinstance(param, str):
        return marks[param] if param in marks else param.replace(str(NUMBER), str(number))
    return param
