"""Rows of a statement that is written beforehand, by Django's cursor or straight from the driver.

Django's cursor looks through the text of a statement each time, and counts it for whoever wants
to know; that takes four times as long as SQLite takes to find a row by its key.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX

Rows = list[tuple[Any, ...]]
Ask = Callable[[str, Sequence[Any]], Rows]


def ask(sql: str, parameters: Sequence[Any]) -> Rows:
    """The rows, by Django's cursor."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: Rows = cursor.fetchall()
    return found


def ask_straight(sql: str, parameters: Sequence[Any]) -> Rows:
    """The same, past Django's cursor; raises Django's DatabaseError."""
    here = connections[DEFAULT_DB_ALIAS]  # `connection` would look that up for each attribute
    here.ensure_connection()
    with here.wrap_database_errors:
        found: Rows = here.connection.execute(_native(sql), parameters).fetchall()
    return found


@lru_cache(maxsize=100)
def _native(sql: str) -> str:
    """With the marks for parameters that the driver knows."""
    if connection.vendor != "sqlite":
        return sql
    return FORMAT_QMARK_REGEX.sub("?", sql).replace("%%", "%")
