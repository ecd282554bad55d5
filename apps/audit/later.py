"""Rows of the journal that nobody waits for: a line in a file now, rows by a worker soon.

For what happens often and must cost little, as a search does. A line is written in one piece
and outlives its process; what the machine had not yet put on its disk is lost when the power
fails. Every process has a file of its own for a few seconds, so that none waits for another.
"""

import datetime
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.alone import alone
from apps.audit.models import Event, Kind
from apps.audit.services import Origin

log = logging.getLogger(__name__)

SECONDS = 2  # how long lines go into one file
AT_ONCE = 500  # rows of one statement


def record_later(kind: Kind, *, origin: Origin, details: dict[str, Any]) -> None:
    """Have a row written within seconds, of a kind that starts nothing.

    `details` must not hold patient names. `at` is added to it: the row's own time is later.
    Who is served is served, if the line cannot be written: the log says so then.
    """
    line = {
        "kind": kind.value,
        "user_id": origin.user.pk if origin.user else None,
        "protocol": origin.protocol,
        "peer": origin.peer[:128],
        "address": origin.address[:64],
        "details": details,
        "at": time.time(),
    }
    try:
        _page.append(orjson.dumps(line) + b"\n")
    except OSError as error:
        log.warning("Not in the journal (%s): %s", kind.value, error.strerror)


def write_down() -> int:
    """Write the rows that wait, by one process at a time; returns how many were written.

    Who dies between the rows and the end of their file leaves them to be written twice:
    better than not at all.
    """
    written = 0
    with alone(_folder()) as mine:
        for path in _waiting() if mine else ():
            written += _write(path)
    return written


class _Page:
    """The file that this process writes to at the moment; kept open, as searches are fast."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name: tuple[Path, int, int] | None = None
        self._handle = -1

    def append(self, line: bytes) -> None:
        with self._lock:
            name = (settings.JOURNAL_DIR, int(time.time()) // SECONDS, os.getpid())
            # Whose clock is ahead of ours may have taken it away already.
            if name != self._name or not os.fstat(self._handle).st_nlink:
                self._turn(*name)
            os.write(self._handle, line)

    def _turn(self, folder: Path, slot: int, process: int) -> None:
        if self._name is not None:
            self._name = None
            os.close(self._handle)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(folder / f"{slot}-{process}.jsonl", flags, 0o600)
        self._name = (folder, slot, process)


_page = _Page()


def _waiting() -> list[Path]:
    """Files into which nobody writes any more, the oldest first."""
    last = int(time.time()) // SECONDS - 1
    numbered = [(path.name.partition("-")[0], path) for path in _folder().glob("*.jsonl")]
    done = [(int(slot), path) for slot, path in numbered if slot.isdecimal() and int(slot) < last]
    return [path for _slot, path in sorted(done)]


def _write(path: Path) -> int:
    said = list(_read(path))
    asked = {one["user_id"] for one in said}
    users = set(User.objects.filter(pk__in=asked).values_list("pk", flat=True))
    rows = [_event(one, users) for one in said]
    with transaction.atomic():
        Event.objects.bulk_create(rows, batch_size=AT_ONCE)
    path.unlink()
    return len(rows)


def _event(said: dict[str, Any], users: set[int]) -> Event:
    """Somebody who was deleted meanwhile is still named by `peer`."""
    if said["user_id"] not in users:
        said["user_id"] = None
    at = datetime.datetime.fromtimestamp(said.pop("at"), datetime.UTC)
    said["details"]["at"] = at.isoformat(timespec="milliseconds")
    return Event(**said, delivered_at=timezone.now())


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:  # its writer was killed, or the disk was full
            log.warning("A line of %s is no row of the journal", path.name)


def _folder() -> Path:
    folder: Path = settings.JOURNAL_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
