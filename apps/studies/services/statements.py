"""Statements that are compiled once: asked with other values, their text is the same.

Half the time of a search for one exact value goes into making its SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.accounts.straight import Ask, Rows, ask


@dataclass(frozen=True)
class Statement:
    """`places`: which parameter is which value, as pairs of its place and the value's number."""

    sql: str
    parameters: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]
    converters: dict[int, tuple[list[Any], Any]]

    def rows(self, values: Sequence[str], ask: Ask = ask) -> Rows:
        """The rows for these values, as `values_list` gives them."""
        parameters = list(self.parameters)
        for place, number in self.places:
            parameters[place] = values[number]
        found = ask(self.sql, parameters)
        return [self._converted(row) for row in found] if self.converters else found

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for place, (converters, expression) in self.converters.items():
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return tuple(values)


def marker(number: int) -> str:
    """A text that stands for a value in what is to be compiled."""
    return f"MARK{number:04}MARK"


def compiled(query: QuerySet[Any], values: int) -> Statement | None:
    """A query written with so many markers; None where its text depends on a value."""
    compiler: Any = query.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    markers = {marker(number): number for number in range(values)}
    places = [
        (place, markers[value])
        for place, value in enumerate(parameters)
        if isinstance(value, str) and value in markers
    ]
    made_of_one = any(one in str(value) and one != value for one in markers for value in parameters)
    if made_of_one or len({number for _, number in places}) != values:
        return None
    expressions = [expression for expression, _, _ in compiler.select[: compiler.col_count]]
    converters = compiler.get_converters(expressions)
    return Statement(sql, tuple(parameters), tuple(places), converters)


def certain(found: Statement | None) -> Statement:
    """A statement of ours, whose text depends on no value."""
    if found is None:
        raise TypeError("this query cannot be compiled beforehand")
    return found
