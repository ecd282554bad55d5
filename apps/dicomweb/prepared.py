"""The query for one frame, written once.

A viewer asks for thousands of frames, one after the other. The ORM takes five times as long to
write this query as the database takes to answer it, so what it wrote is kept, with marks where
the values of a request belong.
"""

import functools
from typing import Any

import orjson
from django.db import connection, models
from django.db.models.fields.json import KeyTransform

from apps.studies.models import Instance

_NEEDED = {
    *("id", "sop_class_uid", "sop_instance_uid", "transfer_syntax_uid", "rows", "frames"),
    *("pixel_vr", "file_name", "sha256"),
}
# In the order in which a row is made of them.
_COLUMNS = [one.attname for one in Instance._meta.concrete_fields if one.attname in _NEEDED]
_STUDY, _SERIES, _INSTANCE = "study mark", "series mark", "instance mark"
_NUMBER = 987654321  # stands for the index of the frame, whatever the engine makes a path of


def is_unlimited(rows: models.QuerySet[Instance]) -> bool:
    """Are these all rows there are?"""
    return not rows.query.where and not rows.query.distinct


def one_frame(
    study: str, series: str, instance: str, number: int
) -> tuple[Instance, list[int] | None] | None:
    """An answerable instance and where its frame (counted from 1) is; None where there is none."""
    sql, params = _query()
    marks = {_STUDY: study, _SERIES: series, _INSTANCE: instance}
    values = [_value(one, marks, max(number - 1, 0)) for one in params]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = cursor.fetchone()
    if found is None:
        return None
    *columns, place = found
    row = Instance.from_db(connection.alias, _COLUMNS, columns)
    return row, None if place is None else orjson.loads(place)


@functools.cache
def _query() -> tuple[str, tuple[Any, ...]]:
    rows: Any = Instance.objects.filter(
        sop_instance_uid=_INSTANCE,
        series__series_instance_uid=_SERIES,
        series__study__study_instance_uid=_STUDY,
    )
    rows = rows.answerable().order_by()
    wanted = rows.values_list(*_COLUMNS, KeyTransform(_NUMBER, "frame_table"))[:1]
    sql, params = wanted.query.sql_with_params()
    return sql, params


def _value(param: Any, marks: dict[str, str], index: int) -> Any:
    if param == _NUMBER:
        return index
    if isinstance(param, str):
        return marks.get(param) or param.replace(str(_NUMBER), str(index))
    return param
