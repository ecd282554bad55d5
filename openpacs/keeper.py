"""Keeps the parts of the department running: starts, labels their lines, restarts, stops."""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from openpacs.processes import Child, Part, start

COLOURS = (36, 32, 35, 33, 34)  # ANSI: cyan, green, magenta, yellow, blue
STOP_SECONDS = 10.0  # what a child may take to stop before it is killed
STEADY_SECONDS = 60.0  # a child that lived this long had started well
DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)  # before each restart; after the last one, give up
TICK = 0.1  # seconds


class Keeper:
    """Runs `parts` until told to stop; `run()` returns the exit code.

    `is_ready` is asked, once a tick, until it says yes; then `on_ready` is called.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        is_ready: Callable[[], bool] = lambda: True,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.parts = {part.name: part for part in parts}
        self.is_ready = is_ready
        self.on_ready = on_ready
        self.children: dict[str, Child] = {}
        self.due: dict[str, float] = {}  # when each waiting part is started
        self.failures = dict.fromkeys(self.parts, 0)
        self.selector = selectors.DefaultSelector()
        self.stop_at = 0.0  # when the stop turns into a kill; 0 while running
        self.asked_to_stop = 0  # counted by the signal handler, acted on by the loop
        self.code = 0
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._width = max(map(len, [*self.parts, "openpacs"]))

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)
        self.due = dict.fromkeys(self.parts, 0.0)
        ready = False
        try:
            while self.children or not self.stop_at:
                self._tick()
                if not ready and not self.stop_at and self.is_ready():
                    ready = True
                    self.on_ready()
        finally:
            # Nothing outlives the keeper, whatever ended it.
            for child in self.children.values():
                child.kill(signal.SIGKILL)
        return self.code

    def stop(self) -> None:
        """Ask every child to stop; asked again, do not wait for them."""
        if self.stop_at:
            self.stop_at = time.monotonic()
            return
        self.stop_at = time.monotonic() + STOP_SECONDS
        self.say("Stopping")
        for child in self.children.values():
            child.terminate()

    def say(self, text: str, *, name: str = "openpacs") -> None:
        label = f"{name:>{self._width}} |"
        if self._coloured and name in self.parts:
            colour = COLOURS[list(self.parts).index(name) % len(COLOURS)]
            label = f"\x1b[{colour}m{label}\x1b[0m"
        # A closed terminal must not end the department.
        with suppress(OSError):
            sys.stdout.write(f"{label} {text}\n")
            sys.stdout.flush()

    def _note_signal(self, number: int, frame: object) -> None:
        self.asked_to_stop += 1

    def _tick(self) -> None:
        for key, _ in self.selector.select(TICK):
            self._show(key.data)
        self._collect()
        if self.asked_to_stop:
            self.asked_to_stop = 0
            self.stop()
        if self.stop_at:
            self._kill_the_slow()
        else:
            self._start_due()

    def _show(self, child: Child) -> None:
        try:
            for line in child.read():
                self.say(line, name=child.part.name)
        except EOFError:
            self.selector.unregister(child.output)

    def _collect(self) -> None:
        for child in list(self.children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        name = child.part.name
        # What it started itself must not keep its port or its work.
        child.kill(signal.SIGKILL)
        self._drain(child)
        del self.children[name]
        if self.stop_at:
            return
        self.failures[name] = 1 if child.age > STEADY_SECONDS else self.failures[name] + 1
        if self.failures[name] > len(DELAYS):
            self.say(f"{name} ended {self.failures[name]} times (last: {_reason(code)}).")
            self.say("Giving up: stopping everything.")
            self.code = 1
            self.stop()
            return
        delay = DELAYS[self.failures[name] - 1]
        self.say(f"{name} ended ({_reason(code)}); starting it again in {delay:g} s")
        self.due[name] = time.monotonic() + delay

    def _drain(self, child: Child) -> None:
        """Show what it wrote last, then close its pipe."""
        os.set_blocking(child.output, False)
        with suppress(EOFError, BlockingIOError):
            while True:
                for line in child.read():
                    self.say(line, name=child.part.name)
        with suppress(KeyError):
            self.selector.unregister(child.output)
        os.close(child.output)

    def _start_due(self) -> None:
        now = time.monotonic()
        for name in [name for name, when in self.due.items() if when <= now]:
            del self.due[name]
            child = start(self.parts[name])
            self.children[name] = child
            self.selector.register(child.output, selectors.EVENT_READ, child)

    def _kill_the_slow(self) -> None:
        if time.monotonic() < self.stop_at:
            return
        for child in self.children.values():
            self.say(f"{child.part.name} did not stop in time: killed")
            child.kill(signal.SIGKILL)
        self.stop_at = time.monotonic() + STOP_SECONDS


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
