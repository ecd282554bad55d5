"""What openpacs keeps its rows in: embedded SQLite, or PostgreSQL with Redis.

An engine is prepared once (migrated, devices added) and then renewed from that for each
cell, as migrating takes longer than most cells.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg
import redis as redis_client

from benchmarks import machine
from tests.servers import postgres, redis

# Stock durability (fsync, synchronous_commit); sizes as anybody would set them for a PACS.
CLUSTER = {"shared_buffers": "1GB", "max_wal_size": "4GB"}


class Engine(Protocol):
    """Where a home is made: `home` holds OPENPACS_HOME of the prepared state and of cells."""

    name: str
    roots: tuple[int, ...]  # processes that work for openpacs beside its own

    def settings(self, database: str) -> Mapping[str, str]:
        """What its environment says, for the database of this name."""
        ...

    def prepare(self, home: Path, migrate: Callable[[], None]) -> None:
        """Make the state that cells start from."""
        ...

    def renew(self, home: Path, cell: Path, database: str) -> None:
        """A cell's own copy of the prepared state."""
        ...

    def forget_messages(self) -> None:
        """Empty the broker: what one cell left undone is no work for the next."""
        ...


@dataclass
class Embedded:
    """Nothing configured: SQLite and a folder as broker below OPENPACS_HOME."""

    name: str = "SQLite"
    roots: tuple[int, ...] = ()

    def settings(self, database: str) -> Mapping[str, str]:
        return {"DATABASE_URL": "", "REDIS_URL": ""}

    def prepare(self, home: Path, migrate: Callable[[], None]) -> None:
        migrate()

    def renew(self, home: Path, cell: Path, database: str) -> None:
        shutil.copytree(home, cell)

    def forget_messages(self) -> None:
        """A fresh home brings a fresh folder."""


@dataclass
class AtScale:
    """A PostgreSQL cluster and a Redis that are there already."""

    server: str  # postgres://user@host:port
    broker: str
    roots: tuple[int, ...]
    name: str = "PostgreSQL and Redis"
    template: str = field(default="prepared", repr=False)

    def settings(self, database: str) -> Mapping[str, str]:
        return {"DATABASE_URL": f"{self.server}/{database}", "REDIS_URL": self.broker}

    def prepare(self, home: Path, migrate: Callable[[], None]) -> None:
        self._execute(f'CREATE DATABASE "{self.template}"')
        migrate()

    def renew(self, home: Path, cell: Path, database: str) -> None:
        shutil.copytree(home, cell)
        self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self._execute(f'CREATE DATABASE "{database}" TEMPLATE "{self.template}"')
        self.forget_messages()

    def forget_messages(self) -> None:
        with redis_client.Redis.from_url(self.broker) as client:
            client.flushall()

    def _execute(self, statement: str) -> None:
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def at_scale() -> Iterator[AtScale]:
    """Start a cluster and a Redis of our own."""
    before = _children()
    with postgres(CLUSTER) as database, redis() as broker:
        server = database.rsplit("/", 1)[0]
        yield AtScale(server, broker, tuple(sorted(_children() - before)))


def _children() -> set[int]:
    own = os.getpid()
    return {one.pid for one in machine.processes().values() if one.parent == own}
