"""The queries of viewers, compiled once.

A viewer asks for thousands of frames, one after the other, and the ORM takes five times as long
to write such a query as the database takes to answer it. Only for who sees everything: others
have conditions of their own.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.db import connection, models
from django.db.models import Func, Value

from apps.accounts.straight import Ask, ask
from apps.studies.models import Instance, Series, Study
from apps.studies.services.statements import Statement, certain, compiled, marker


class ItemOf(Func):
    """The item of a JSON array at an index that is given as text."""

    function = "jsonb_extract_path"
    output_field = models.JSONField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        array, index = self.get_source_expressions()
        column, _ = compiler.compile(array)
        place, params = compiler.compile(index)
        return f"JSON_EXTRACT({column}, '$[' || {place} || ']')", params


def one_frame(
    study: str, series: str, instance: str, number: int, ask: Ask = ask
) -> tuple[Instance, list[int] | None] | None:
    """An answerable instance and where its frame (counted from 1) is; None where there is none."""
    index = str(max(number - 1, 0))
    for *columns, place in _frame().rows((study, series, instance, index), ask):
        return Instance.from_db(connection.alias, _INSTANCE, columns), place
    return None


def one_instance(study: str, series: str, instance: str) -> Instance | None:
    """An answerable instance as a whole, with its series and study; None where there is none."""
    for columns in _instance().rows((study, series, instance)):
        ends = len(_WHOLE[Instance]), len(_WHOLE[Instance]) + len(_WHOLE[Series])
        row = Instance.from_db(connection.alias, _WHOLE[Instance], columns[: ends[0]])
        row.series = Series.from_db(connection.alias, _WHOLE[Series], columns[ends[0] : ends[1]])
        row.series.study = Study.from_db(connection.alias, _WHOLE[Study], columns[ends[1] :])
        return row
    return None


def one_series(study: str, series: str) -> Series | None:
    """An answerable series and its study, with what viewing them needs."""
    for columns in _series().rows((study, series)):
        row = Series.from_db(connection.alias, _SERIES, columns[: len(_SERIES)])
        row.study = Study.from_db(connection.alias, _STUDY, columns[len(_SERIES) :])
        return row
    return None


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


_WHOLE: dict[type[models.Model], list[str]] = {
    model: [one.attname for one in model._meta.concrete_fields]
    for model in (Instance, Series, Study)
}


def _marked() -> Any:
    return Instance.objects.answerable().filter(
        series__study__study_instance_uid=marker(0),
        series__series_instance_uid=marker(1),
        sop_instance_uid=marker(2),
    )


@cache
def _instance() -> Statement:
    columns = [
        f"{before}{name}"
        for before, model in (("", Instance), ("series__", Series), ("series__study__", Study))
        for name in _WHOLE[model]
    ]
    return certain(compiled(_marked().order_by().values_list(*columns)[:1], 3))


@cache
def _frame() -> Statement:
    rows = _marked()
    place = ItemOf("frame_table", Value(marker(3)))
    return certain(compiled(rows.order_by().values_list(*_INSTANCE, place)[:1], 4))


@cache
def _series() -> Statement:
    rows = Series.objects.answerable().filter(
        study__study_instance_uid=marker(0), series_instance_uid=marker(1)
    )
    of_study = [f"study__{name}" for name in _STUDY]
    return certain(compiled(rows.order_by().values_list(*_SERIES, *of_study)[:1], 2))
