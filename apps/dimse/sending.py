"""Sending instances to a device, on one or several associations of ours (PS3.4 annex B).

The caller's thread reads the index and hears of results; each association has a thread that
reads files and sends them. All take from the front of one queue, so that images go out
nearly in the order of their series, and a slow association holds up nobody.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from django.db import connections

from apps.dimse.association import ReleasedError
from apps.dimse.requesting import MOST_CONTEXTS, Wanted, requested
from apps.dimse.services.calling import CalledDeviceFailed
from apps.dimse.suboperations import (
    Originator,
    Result,
    StorageUser,
    Unanswered,
    UnreadableError,
    wanted_contexts,
)
from apps.dimse.wire import PeerGoneError, ProtocolError
from apps.studies.models import Instance
from apps.studies.querysets import InstanceQuerySet
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
ROWS, RESULTS = 100, 16  # read from the index at once; heard of at once
TICK_SECONDS = 0.5


@dataclass
class Sent:
    """What became of each instance: SOP Instance UID and `Result.status`."""

    sent: list[tuple[str, int | Unanswered]] = field(default_factory=list)
    warned: list[tuple[str, int | Unanswered]] = field(default_factory=list)
    failed: list[tuple[str, int | Unanswered]] = field(default_factory=list)

    def note(self, result: Result) -> None:
        kept = self.sent if result.succeeded else self.warned if result.warned else self.failed
        kept.append((result.instance.sop_instance_uid, result.status))


@dataclass
class Batch:
    """Instances that one association can carry: their primary keys in order, its contexts."""

    contexts: list[Wanted]
    keys: list[int]


def send_instances(
    device: Device,
    instances: InstanceQuerySet,
    *,
    on_result: Callable[[Result], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    move_originator: Originator | None = None,
) -> Sent:
    """Send instances to a device; raises CalledDeviceFailed where no association comes about.

    `on_result` hears of each, `cancelled` is asked at least once a second, both in the
    caller's thread; what they raise ends the sending. What is not sent for any reason but
    cancelling is among the failed. `move_originator`: AE title and Message ID of a C-MOVE.
    """
    sent = Sent()

    def heard(result: Result) -> None:
        sent.note(result)
        if on_result is not None:
            on_result(result)

    for batch in batches(instances, device):
        belt = Belt(device, batch, move_originator)
        if not belt.run(heard, cancelled):
            break
        if belt.refusal is not None and not (sent.sent or sent.warned or sent.failed):
            raise belt.refusal
        belt.give_up(heard)
    return sent


def batches(instances: InstanceQuerySet, device: Device) -> list[Batch]:
    """Instances by the associations that carry them: one, unless of very many SOP classes."""
    by_class: dict[str, tuple[set[str], list[int]]] = {}
    columns = in_order(instances).values_list("pk", "sop_class_uid", "transfer_syntax_uid")
    order: dict[int, int] = {}
    for key, sop_class, syntax in columns.iterator(chunk_size=2000):
        syntaxes, keys = by_class.setdefault(sop_class, (set(), []))
        syntaxes.add(syntax)
        keys.append(key)
        order[key] = len(order)
    made: list[Batch] = []
    for sop_class, (syntaxes, keys) in by_class.items():
        contexts = wanted_contexts(sop_class, syntaxes, device)
        if not made or len(made[-1].contexts) + len(contexts) > MOST_CONTEXTS:
            made.append(Batch([], []))
        made[-1].contexts += contexts
        made[-1].keys += keys
    for batch in made:
        batch.keys.sort(key=order.__getitem__)
    return made


def in_order(instances: InstanceQuerySet) -> InstanceQuerySet:
    """Series by series, each by its instance numbers."""
    return instances.order_by("series_id", "number", "pk")


def loaded(keys: list[int]) -> Iterator[Instance]:
    """The rows of these keys in order, some at a time; those gone meanwhile are left out."""
    for start in range(0, len(keys), ROWS):
        some = keys[start : start + ROWS]
        rows = Instance.objects.light().in_bulk(some)
        yield from (rows[key] for key in some if key in rows)


class Belt:
    """Carries one batch to the threads that send, and their results back."""

    def __init__(self, device: Device, batch: Batch, originator: Originator | None) -> None:
        self._device, self._batch, self._originator = device, batch, originator
        self._source = loaded(batch.keys)
        self._ready: deque[Instance] = deque()
        self._results: deque[Result] = deque()
        self._more, self._stopped = True, False
        self._running = 0
        self.refusal: CalledDeviceFailed | None = None  # of the last that did not come about
        self._condition = threading.Condition()

    def run(self, heard: Callable[[Result], None], cancelled: Callable[[], bool]) -> bool:
        """Send all; False when cancelled."""
        lanes = min(self._device.parallel_associations, len(self._batch.keys))
        threads = [threading.Thread(target=self._lane, daemon=True) for _ in range(lanes)]
        self._running = len(threads)
        try:
            for thread in threads:
                thread.start()
            while self._turn(heard):
                if cancelled():
                    return False
        finally:
            self._stop()
            for thread in threads:
                thread.join()
            self._drain(heard)
        return True

    def _turn(self, heard: Callable[[Result], None]) -> bool:
        """Fill up, wait a moment, report; False when no thread is at work any more."""
        while self._more and len(self._ready) < ROWS:
            self._put(next(self._source, None))
        with self._condition:
            self._condition.wait_for(self._has_news, TICK_SECONDS)
            running = self._running
        self._drain(heard)
        return running > 0

    def _has_news(self) -> bool:
        hungry = self._more and len(self._ready) < ROWS // 2
        return hungry or len(self._results) >= RESULTS or not self._running

    def _put(self, instance: Instance | None) -> None:
        with self._condition:
            if instance is None:
                self._more = False
            else:
                self._ready.append(instance)
            self._condition.notify_all()

    def _drain(self, heard: Callable[[Result], None]) -> None:
        while self._results:
            heard(self._results.popleft())

    def give_up(self, heard: Callable[[Result], None]) -> None:
        """No thread is left: whatever still waits is not sent."""
        for instance in chain(self._ready, self._source):
            heard(Result(instance, Unanswered.CUT))

    def _stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def _take(self) -> Iterator[Instance]:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ready or not self._more or self._stopped)
                if self._stopped or not self._ready:
                    return
                instance = self._ready.popleft()
                if self._has_news():
                    self._condition.notify_all()
            yield instance

    def _lane(self) -> None:
        try:
            while self._associate():
                pass
        except CalledDeviceFailed as error:
            logger.warning("association to %s: %s", self._device.ae_title, error)
            self.refusal = error
        finally:
            connections.close_all()
            with self._condition:
                self._running -= 1
                self._condition.notify_all()

    def _associate(self) -> bool:
        """Send on one association; True when it broke after it did good work."""
        progress = False
        unanswered: list[Instance] = []
        why = Unanswered.CUT
        try:
            with requested(self._device, self._batch.contexts) as association:
                user = StorageUser(association, originator=self._originator)
                unanswered = user.unanswered
                for result in user.store(self._take(), stopped=lambda: self._stopped):
                    progress = True
                    self._heard(result)
        except CalledDeviceFailed:
            raise
        except (PeerGoneError, ProtocolError, ReleasedError) as error:
            if isinstance(error, UnreadableError):
                why = Unanswered.UNREADABLE
            logger.warning("association to %s broke: %s", self._device.ae_title, error)
        except Exception:
            why = Unanswered.UNREADABLE
            logger.exception("association to %s ended by an error of ours", self._device.ae_title)
        else:
            return False
        for instance in unanswered:
            self._heard(Result(instance, why))
        return progress

    def _heard(self, result: Result) -> None:
        self._results.append(result)
        if len(self._results) >= RESULTS:
            with self._condition:
                self._condition.notify_all()
