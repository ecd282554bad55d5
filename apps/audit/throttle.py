"""Writing down the same thing only now and then."""

import threading
import time
from collections import OrderedDict
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
            return self._passes(key)

    def forget(self, key: Any) -> None:
        """Let a key pass again: what it stood for came to nothing."""
        with self._lock:
            self._last.pop(key, None)

    def _passes(self, key: Any) -> bool:
        now = time.monotonic()
        if now - self._hour > 3600:
            self._hour, self._count = now, 0
        if now - self._last.get(key, -self._seconds) < self._seconds:
            return False
        if self._count >= self._per_hour:
            return False
        self._count += 1
        self._last[key] = now
        self._last.move_to_end(key)
        while len(self._last) > self._keys:
            self._last.popitem(last=False)
        return True
