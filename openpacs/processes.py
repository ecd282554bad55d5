"""Child processes of the supervisor: forked, watched, their lines labelled, none left behind.

Django is imported once, by the supervisor; a child is a fork of it, which starts in
milliseconds and shares its memory. The supervisor stays single-threaded so that forking is
safe at any time.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # prctl(2)
LINE_LIMIT = 1 << 16  # a child writing without an end of line is cut here


@dataclass(frozen=True)
class Part:
    """One of the programs of the department: a name and a function that runs until stopped."""

    name: str
    run: Callable[[], object]


@dataclass
class Child:
    """A running part. `read()` gives its finished lines; `kill()` reaches all it started."""

    part: Part
    pid: int
    output: int  # read end of the pipe that is its stdout and stderr
    started: float = field(default_factory=time.monotonic)
    _rest: bytes = b""

    def read(self) -> list[str]:
        """The lines written since the last call; an empty read means the pipe has ended."""
        data = os.read(self.output, LINE_LIMIT)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (not data or len(self._rest) > LINE_LIMIT):
            lines.append(self._rest)
            self._rest = b""
        if not data and not lines:
            raise EOFError
        return [line.decode(errors="replace") for line in lines]

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the child and to every process it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Ask the child alone to stop; it stops its own children in its own order."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    @property
    def age(self) -> float:
        return time.monotonic() - self.started


def start(part: Part) -> Child:
    """Fork a child that runs `part`."""
    reading, writing = os.pipe()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _become(part, parent=parent, output=writing)
    os.close(writing)
    # Also done by the child: whichever is first, kill() finds the group.
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return Child(part, pid, reading)


def _become(part: Part, *, parent: int, output: int) -> NoReturn:
    """What the forked child does; never returns."""
    code = 1
    try:
        # A group of its own: Ctrl-C reaches the supervisor only, which stops all in order.
        os.setpgid(0, 0)
        die_with(parent)
        show_as(f"openpacs-{part.name}")
        _attach(output)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        part.run()
        code = 0
    except KeyboardInterrupt:
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except Exception:
        log.exception("%s broke", part.name)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, even by SIGKILL (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)


def show_as(name: str) -> None:
    """Have ps, top and /proc show this process, and those it forks, by a name (Linux).

    Its first 15 bytes are shown.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def _attach(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)
    # stdout is a pipe now: hand over each line as it is written.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
