"""Writing down the same thing only now and then."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

SAME_QUESTION_SECONDS = 600


class Throttle:
    """Lets a key pass once per `seconds`, and all keys together `per_hour` times an hour."""

    def __init__(self, *, seconds: float, per_hour: int, keys: int = 1024) -> None:
        self._seconds, self._per_hour, self._keys = seconds, per_hour, keys
        self._last: OrderedDict[Any, float] = OrderedDict()
        self._hour, self._count = 0.0, 0
        self._lock = threading.Lock()

    def passes(self, key: Any) -> bool:
        with self._lock:
            may = self._may_pass(key, time.monotonic())
            if may:
                self._let_pass(key)
            return may

    def once(self, key: Any, do: Callable[[], object]) -> None:
        """Do what lets `key` pass, unless it passed lately; what raises was not done.

        Who comes meanwhile does it too: nobody goes on as if it were done.
        """
        with self._lock:
            may = self._may_pass(key, time.monotonic())
        if may:
            do()
            with self._lock:
                self._let_pass(key)

    def _may_pass(self, key: Any, now: float) -> bool:
        if now - self._hour > 3600:
            self._hour, self._count = now, 0
        if now - self._last.get(key, -self._seconds) < self._seconds:
            return False
        return self._count < self._per_hour

    def _let_pass(self, key: Any) -> None:
        self._count += 1
        self._last[key] = time.monotonic()
        self._last.move_to_end(key)
        while len(self._last) > self._keys:
            self._last.popitem(last=False)
