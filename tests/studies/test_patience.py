"""A statement that takes too long is stopped, and the connection serves on."""

import pytest
from django.db import OperationalError, connection

from apps.studies.patience import TooMuchAsked, patience

pytestmark = pytest.mark.django_db(transaction=True)
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def run(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def test_a_statement_without_an_end_is_stopped() -> None:
    with pytest.raises(TooMuchAsked, match="takes too long"), patience(0.05):
        run(ENDLESS)
    assert run("SELECT 1") == (1,)


def test_other_failures_are_not_taken_for_it() -> None:
    with pytest.raises(OperationalError), patience(30):
        raise OperationalError("disk I/O error")


def test_afterwards_there_is_no_limit() -> None:
    with patience(0.05):
        run("SELECT 1")
    if connection.vendor == "postgresql":
        assert run("SELECT pg_sleep(0.1)") is not None
    else:
        long = ENDLESS.replace("FROM n) ", "FROM n LIMIT 300000) ")
        assert run(long) == (300_000,)
