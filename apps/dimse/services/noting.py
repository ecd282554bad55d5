"""What this door writes down about those that call; the same thing only now and then."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.keys import Key, Matching
from apps.dimse.negotiation import Rejection
from apps.worklist.models import Device, ScheduledStep

REJECTIONS_PER_PEER_SECONDS, REJECTIONS_PER_HOUR = 60, 200
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


_rejections = Throttle(seconds=REJECTIONS_PER_PEER_SECONDS, per_hour=REJECTIONS_PER_HOUR)
_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def note_rejection(rejection: Rejection, *, calling: str, origin: Origin) -> None:
    """Journal a refused association; a stranger who keeps trying fills nothing."""
    if not _rejections.passes((origin.address, rejection.text)):
        return
    title = "".join(char if char.isprintable() else "?" for char in calling)[:16]
    details = {"calling": title, "reason": rejection.text}
    record(Kind.ASSOCIATION_REJECTED, None, origin=origin, details=details)


def note_worklist_query(
    device: Device, *, keys: Sequence[Key], steps: Sequence[ScheduledStep], origin: Origin
) -> None:
    """Journal who was shown on which device; the same answer again only now and then."""
    asked = sorted(key.name for key in keys if key.matching is not Matching.UNIVERSAL)
    shown = [step.identifier for step in steps]
    if _questions.passes((device.pk, tuple(asked), tuple(shown))):
        details = {"keys": asked, "steps": shown[:100], "count": len(shown)}
        record(Kind.WORKLIST_QUERIED, device, origin=origin, details=details)
