"""Work on other people's bytes at arm's length: in processes that may die of them.

The processes (apps/dicom/workbench.py) import this room only, no Django, have no
environment, no network and no files, and limits of memory and time. One job dies alone:
neither its neighbours nor the process that asked notice more than an exception.
"""

import atexit
import contextlib
import fcntl
import functools
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from apps.dicom import parcels
from apps.dicom.confinement import FILTER
from apps.dicom.deadlines import Deadlines
from apps.dicom.parcels import ParcelError
from apps.dicom.transcoding import MOST_BYTES, TranscodingError

log = logging.getLogger(__name__)
_deadlines = Deadlines()

PROCESSES = 2
CPU_SECONDS = 120  # of one job, as are the others
WALL_SECONDS = 240
START_SECONDS = 60  # imports, on a machine that has other things to do
WAITING_SECONDS = 60  # for a process to be free
MEMORY_BYTES = 6 * MOST_BYTES
IDLE_SECONDS = 120  # after which a process that nobody needs gives its memory back
JOBS_PER_PROCESS = 500  # what a codec leaks goes with its process
_PIPE_BYTES = 1 << 20  # more is for the privileged
_ROOT = Path(__file__).resolve().parents[2]
# One thread for each process: numerical libraries would start one for each core.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


class JobError(ValueError):
    """The job cannot be done with these bytes; the message says why."""


class JobDiedError(JobError):
    """No answer came: the process crashed, or took too much of something."""


class BusyError(Exception):
    """All processes have been at work for too long; later there may be one."""


class Workshop:
    """Processes that do named jobs, started when first needed and anew after one has died.

    `seconds` of CPU time and `memory_bytes` of address space are what one job may take.
    `kind` is that of the bench: "pictures", or "films", which has a video codec at hand.
    """

    def __init__(
        self,
        *,
        processes: int = PROCESSES,
        seconds: int = CPU_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
        kind: str = "pictures",
    ) -> None:
        self._limits = {"seconds": seconds, "memory_bytes": memory_bytes}
        self._kind = kind
        self._wall = min(2 * seconds, WALL_SECONDS)
        self._places = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Bench] = []
        self._sweeping = False
        atexit.register(self.close)

    def do(
        self, job: str, arguments: dict[str, Any], contents: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a job of the workbench; raises JobError, BusyError."""
        if not self._places.acquire(timeout=WAITING_SECONDS):
            raise BusyError
        try:
            bench = self._take()
            words, made = bench.do({"job": job, "arguments": arguments, **self._limits}, contents)
            self._put_back(bench)
        finally:
            self._places.release()
        if "error" in words:
            raise JobError(str(words["error"]))
        return words, made

    def transcode(self, data_set: bytes, source: str, target: str) -> bytes:
        """Raises TranscodingError, also where no process survives the image."""
        try:
            _, (made,) = self.do("transcode", {"source": source, "target": target}, [data_set])
        except JobError as error:
            raise TranscodingError(str(error)) from None
        except BusyError:
            raise TranscodingError("too many images at once") from None
        return made

    def close(self) -> None:
        """End the processes; the next job starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for bench in idle:
            bench.close()

    def _take(self) -> "_Bench":
        with self._lock:
            while self._idle:
                bench = self._idle.pop()
                if bench.is_alive():
                    return bench
                bench.close()
        return _Bench(self._kind, self._wall)

    def _put_back(self, bench: "_Bench") -> None:
        if bench.is_worn():
            bench.close()
            return
        with self._lock:
            self._idle.append(bench)
            self._sweep_later()

    def _sweep_later(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            timer = threading.Timer(IDLE_SECONDS, self._sweep)
            timer.daemon = True
            timer.start()

    def _sweep(self) -> None:
        """End the processes that have been idle all the time; look again while there are any."""
        with self._lock:
            self._sweeping = False
            tired = [bench for bench in self._idle if bench.is_tired()]
            self._idle = [bench for bench in self._idle if bench not in tired]
            if self._idle:
                self._sweep_later()
        for bench in tired:
            bench.close()


def _widen(pipe: IO[bytes]) -> None:
    """A frame in one go: through a pipe of the usual width both sides wait in turns."""
    with contextlib.suppress(OSError, AttributeError):  # the kernel's to refuse; Linux has it
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@functools.cache
def _say_once(lacking: str) -> None:
    log.warning("Codecs run without what should confine them here: %s", lacking)


def _tell_of(holds: object) -> None:
    """Where a kernel does not filter calls, whoever runs the site should know."""
    if not isinstance(holds, list) or FILTER not in holds:
        _say_once(FILTER)


class _Bench:
    """One process and its pipes."""

    def __init__(self, kind: str, wall: float) -> None:
        self._wall = wall
        self._left = JOBS_PER_PROCESS
        self._ready = False
        self._used = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "apps.dicom.workbench", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # codecs complain of what they read, names and all
            cwd=_ROOT,
            env=_ENVIRONMENT,
        )
        self._to = cast("IO[bytes]", self._process.stdin)
        self._from = cast("IO[bytes]", self._process.stdout)
        _widen(self._to)
        _widen(self._from)

    def do(
        self, words: dict[str, Any], contents: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a job, wait for its answer; raises JobDiedError, the process then being gone."""
        self._left -= 1
        if not self._ready:
            with self._watched(START_SECONDS, "the codecs did not start"):
                told, _ = parcels.receive(self._from, most_bytes=0)
            self._ready = True
            _tell_of(told.get("holds"))
        with self._watched(self._wall, "the codec crashed or took too much"):
            parcels.send(self._to, words, contents)
            return parcels.receive(self._from, most_bytes=words["memory_bytes"])

    @contextlib.contextmanager
    def _watched(self, seconds: float, otherwise: str) -> Iterator[None]:
        """Within so many seconds, or the process is ended and JobDiedError says so."""
        try:
            with _deadlines.within(seconds, self._process.kill):
                yield
        except (ParcelError, OSError):
            self.close()
            raise JobDiedError(otherwise) from None
        except BaseException:
            self.close()
            raise
        finally:
            self._used = time.monotonic()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_tired(self) -> bool:
        return time.monotonic() - self._used >= IDLE_SECONDS

    def is_worn(self) -> bool:
        return self._left <= 0

    def close(self) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):  # what it was sent and has not read
            self._process.communicate()
