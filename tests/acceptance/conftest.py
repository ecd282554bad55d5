"""The fixtures of the DIMSE tests: a spool and a storage of its own for every test."""

from tests.dimse.conftest import spool, threads_db

__all__ = ["spool", "threads_db"]
