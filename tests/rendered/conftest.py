"""The fixtures of the studies room: a spool and a storage of its own for every test."""

from tests.studies.conftest import spool

__all__ = ["spool"]
