"""The associations that run now, of all listener processes of this machine, in one table.

The table is a file without a name, mapped into every process forked from the one that made
it. Changes are made under the kernel's lock on that file, which ends with its holder: a
process that is killed leaves rows, which `forget` removes, and never a lock.
"""

import contextlib
import fcntl
import mmap
import os
import struct
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from apps.dimse.limits import Limits

MAX_PROCESSES = 64
_PROCESS = struct.Struct("<L")
_ROW = struct.Struct("<LQ8s")  # process (0: free), device, address


@dataclass(frozen=True)
class Row:
    """One association."""

    process: int
    device: int
    address: bytes


class Slots:
    """Room for so many associations as `limits` say. Fork only while none is taken."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows_at = MAX_PROCESSES * _PROCESS.size
        size = self._rows_at + limits.associations * _ROW.size
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._table = mmap.mmap(self._file, size)
        self._thread_lock = threading.Lock()  # the kernel's lock is between processes only

    def enter(self) -> None:
        """This process takes associations from now on."""
        with self._locked():
            processes = self._processes()
            if os.getpid() not in processes:
                _PROCESS.pack_into(self._table, processes.index(0) * _PROCESS.size, os.getpid())

    def forget(self, process: int) -> None:
        """A process has ended: what it held is free."""
        with self._locked():
            for index, one in enumerate(self._processes()):
                if one == process:
                    _PROCESS.pack_into(self._table, index * _PROCESS.size, 0)
            for index, row in enumerate(self._rows()):
                if row.process == process:
                    self._put(index, Row(0, 0, b""))

    @contextlib.contextmanager
    def taken(self, *, device: int, at_most: int | None, address: str) -> Iterator[bool]:
        """Hold a slot for an association of a known device; yields whether there is one.

        `at_most`: how many the device may have, where it has a limit of its own.
        """
        row = Row(os.getpid(), device, _digest(address))
        index = self._take(row, at_most)
        try:
            yield index is not None
        finally:
            if index is not None:
                with self._locked():
                    self._put(index, Row(0, 0, b""))

    def is_busier(self) -> bool:
        """Has this process more associations than the least busy one? A rough look."""
        by_process = Counter(row.process for row in self._rows())
        others = [one for one in self._processes() if one]
        return bool(others) and by_process[os.getpid()] > min(by_process[one] for one in others)

    def _take(self, row: Row, at_most: int | None) -> int | None:
        with self._locked():
            rows = list(self._rows())
            if not self._has_room(rows, row, at_most):
                return None
            index = next(index for index, one in enumerate(rows) if not one.process)
            self._put(index, row)
            return index

    def _has_room(self, rows: list[Row], row: Row, at_most: int | None) -> bool:
        used = [one for one in rows if one.process]
        own = sum(one.device == row.device for one in used)
        beside = sum(one.address == row.address for one in used)
        # The last slots are for devices that have none yet: one that calls and calls
        # keeps no other out.
        total = self._limits.associations - (self._limits.reserved if own else 0)
        return (
            len(used) < total
            and beside < self._limits.associations_per_address
            and (at_most is None or own < at_most)
        )

    def _put(self, index: int, row: Row) -> None:
        at = self._rows_at + index * _ROW.size
        _ROW.pack_into(self._table, at, row.process, row.device, row.address)

    def _rows(self) -> Iterator[Row]:
        return (Row(*one) for one in _ROW.iter_unpack(self._table[self._rows_at :]))

    def _processes(self) -> list[int]:
        return [one for (one,) in _PROCESS.iter_unpack(self._table[: self._rows_at])]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread_lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)


def _digest(address: str) -> bytes:
    return blake2b(address.encode(), digest_size=8).digest()
