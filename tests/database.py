"""A copy of one migrated database for each test process, and the rows that come back in it.

A test that commits ends by bringing back the rows that the migrations wrote. Django would
empty every table, filled or not, and read the rows from JSON, object by object; here tables
are emptied that hold something, and get copies of their rows.
A server that outlives the tests keeps the databases; the next tests make them anew.
"""

import shutil
from functools import cache
from typing import Any

from django.db import connection, transaction

from tests.migrated import embedded, one_at_a_time, run_home
from tests.settings import WORKER

MIGRATED = run_home() / "copied"  # names the database, once there is one
UNDELETABLE = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%BEFORE DELETE%'"


def set_up() -> None:
    """Give this process a copy of the migrated database."""
    creation = connection.creation
    with one_at_a_time():
        if not MIGRATED.exists():
            MIGRATED.write_text(_migrate())
        connection.settings_dict["NAME"] = MIGRATED.read_text()
        creation.clone_test_db(WORKER, verbosity=0)
    connection.settings_dict.update(creation.get_test_db_clone_settings(WORKER))
    _first_filled()


def bring_back() -> None:
    """Empty all tables but for the rows that the migrations wrote; sequences go on."""
    connection.close()  # what a test left open in it, and settings of its own
    if connection.vendor == "sqlite":
        _execute(f"ATTACH DATABASE '{MIGRATED.read_text()}' AS migrated")
    with connection.constraint_checks_disabled(), transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            _execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            _execute(f"LOCK TABLE {', '.join(_tables())}")  # until others have done with them
        for table in _filled(_tables()):
            _execute(f"DELETE FROM {table}")
        for table in _first_filled():
            _execute(f"INSERT INTO {table} SELECT * FROM migrated.{table}")
    connection.close()


def _migrate() -> str:
    """Make the database that is copied for test processes; its name."""
    if connection.vendor == "sqlite":
        name = str(shutil.copy(embedded(), run_home() / "test.db"))
        connection.settings_dict["NAME"] = name
        for (trigger,) in _execute(UNDELETABLE):  # by which tests empty tables
            _execute(f'DROP TRIGGER "{trigger}"')
        _execute("PRAGMA journal_mode=DELETE")  # whole in one file
    else:
        name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        _execute("CREATE SCHEMA migrated")
        for table in _filled(_tables()):
            _execute(f"CREATE TABLE migrated.{table} AS TABLE {table}")
    connection.close()
    return name


@cache
def _tables() -> tuple[str, ...]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(connection.ops.quote_name(name) for name in sorted(names))


@cache
def _first_filled() -> tuple[str, ...]:
    """Tables in which the migrations wrote rows: first asked before there are others."""
    return _filled(_tables())


def _filled(tables: tuple[str, ...]) -> tuple[str, ...]:
    asked = (
        f"SELECT {number} WHERE EXISTS (SELECT 1 FROM {table})"
        for number, table in enumerate(tables)
    )
    return tuple(tables[number] for (number,) in _execute(" UNION ALL ".join(asked)))


def _execute(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
