"""A spool and a storage of its own, as in the studies room."""

from tests.studies.conftest import spool

__all__ = ["spool"]
