"""What is to be ended at some time, unless it is over by then."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

LINGERING = 10.0  # seconds without anything to watch, after which the thread ends


class Deadlines:
    """One thread that watches all; a timer would start one for each."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._next = 0.0  # when the thread looks again
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float, end: Callable[[], None]) -> Iterator[None]:
        """What runs inside; after so many seconds `end` is called, once and never later."""
        key, due = object(), time.monotonic() + seconds
        with self._changed:
            self._due[key] = due, end
            self._have_watched(due)
        try:
            yield
        finally:
            with self._changed:
                self._due.pop(key, None)

    def _have_watched(self, due: float) -> None:
        # A process that was forked has the object, and not the thread.
        if self._thread is None or not self._thread.is_alive():
            self._next = due
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        elif due < self._next:
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            idle = False
            while self._due or not idle:
                idle = not self._due
                now = time.monotonic()
                self._next = min((due for due, _ in self._due.values()), default=now + LINGERING)
                self._changed.wait(max(self._next - now, 0))
                self._end_what_is_over(time.monotonic())
            self._thread = None

    def _end_what_is_over(self, now: float) -> None:
        for key in [key for key, (due, _) in self._due.items() if due <= now]:
            self._due.pop(key)[1]()
