"""Databases of departments whose first start is not what a test is about; knows nothing of Django.

Migrating takes seconds and copying does not: all processes of a run of tests share one file.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openpacs.install import ROOT


def lay_into(home: Path) -> None:
    """Leave a department its database, embedded and as its first start would make it."""
    if "OPENPACS_TEST_RUN" not in os.environ:  # the one department of its program
        migrate(home)
        return
    with one_at_a_time():
        shutil.copy(embedded(), home)


def embedded() -> Path:
    """The migrated database that nobody uses, only copies; ask `one_at_a_time`."""
    home = run_home() / "migrated"
    if not home.exists():
        home.mkdir()
        migrate(home)
    return home / "openpacs.db"


def migrate(home: Path) -> None:
    ours = {"OPENPACS_HOME": str(home), "DATABASE_URL": ""}
    environment = {**os.environ, **ours, "DJANGO_SETTINGS_MODULE": "openpacs.settings"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)


def run_home() -> Path:
    """A folder that all processes of this run share; it goes with the first of them."""
    return Path(os.environ["OPENPACS_TEST_RUN"])


@contextmanager
def one_at_a_time() -> Iterator[None]:
    with (run_home() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield
