"""How far a long command has come, said every few seconds."""

import time
from typing import Protocol

SECONDS = 2


class Output(Protocol):
    def write(self, msg: str, /) -> None: ...


class Counter:
    """Call it with the count so far; `finish` says the last one."""

    def __init__(self, output: Output, noun: str) -> None:
        self._output, self._noun = output, noun
        self._began = self._said = time.monotonic()
        self._count = 0

    def __call__(self, count: int) -> None:
        self._count = count
        if time.monotonic() - self._said >= SECONDS:
            self._say()

    def finish(self) -> None:
        if self._count:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = self._count / max(self._said - self._began, 0.001)
        self._output.write(f"{self._count:,} {self._noun}, {rate:,.0f} a second")
