"""Databases of departments whose first start is not what a test is about; knows nothing of Django.

Migrating takes seconds and copying does not: all processes of a run of tests share one file.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openpacs.install import ROOT


def lay_into(home: Path, script: str = "") -> None:
    """Leave a department its database, embedded, as its first start and then a script make it."""
    if "OPENPACS_TEST_RUN" not in os.environ:  # the one department of its program
        make(home, script)
        return
    with one_at_a_time():
        shutil.copy(embedded(script), home)


def embedded(script: str = "") -> Path:
    """A migrated database that nobody uses, only copies; ask `one_at_a_time`."""
    home = run_home() / f"migrated-{hashlib.sha256(script.encode()).hexdigest()}"
    if not home.exists():
        home.mkdir()
        if script:
            shutil.copy(embedded(), home)
        make(home, script)
    return home / "openpacs.db"


def make(home: Path, script: str) -> None:
    if not (home / "openpacs.db").exists():
        manage(home, "migrate", "--verbosity", "0")
    if script:
        manage(home, "shell", "--verbosity", "0", "-c", script)


def manage(home: Path, *arguments: str) -> None:
    ours = {"OPENPACS_HOME": str(home), "DATABASE_URL": ""}
    environment = {**os.environ, **ours, "DJANGO_SETTINGS_MODULE": "openpacs.settings"}
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)


def run_home() -> Path:
    """A folder that all processes of this run share; it goes with the first of them."""
    return Path(os.environ["OPENPACS_TEST_RUN"])


@contextmanager
def one_at_a_time() -> Iterator[None]:
    with (run_home() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield
