"""How long the database may think about one question."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

_STEPS = 20_000  # of SQLite's virtual machine between two looks at the clock: about a millisecond


class TooMuchAsked(Exception):
    """A question that costs more than this site gives; the message says of what."""


class Patience:
    """`restart` gives the database the whole time again: what was found has been passed on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        self._until = time.monotonic() + self._seconds

    def is_over(self) -> bool:
        return time.monotonic() > self._until


@contextmanager
def patience(seconds: float) -> Iterator[Patience]:
    """A time limit for the statements within; raises TooMuchAsked when one takes longer."""
    limit = Patience(seconds)
    is_postgres = connection.vendor == "postgresql"
    connection.ensure_connection()
    raw: Any = connection.connection
    _set(raw, limit, milliseconds=int(seconds * 1000) if is_postgres else None)
    try:
        yield limit
    except OperationalError as error:
        if limit.is_over() or "statement timeout" in str(error):
            raise TooMuchAsked("the question takes too long") from error
        raise
    finally:
        _set(raw, None, milliseconds=0 if is_postgres else None)


def _set(raw: Any, limit: Patience | None, *, milliseconds: int | None) -> None:
    if milliseconds is None:
        raw.set_progress_handler(limit.is_over if limit else None, _STEPS)
    elif not raw.closed:
        raw.execute("SELECT set_config('statement_timeout', %s, false)", [str(milliseconds)])
