"""Who listens, and telling them: the rows of what is to be told are looked at once a second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from apps.workitems.models import Notice
from apps.workitems.services import mark_delivered, report_of, waiting_notices

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SEND_SECONDS = 5.0  # a listener that takes nothing for so long is gone
CHECK_SECONDS = 60.0  # after which it is asked again whether a listener still may
MOST_LISTENERS = 200
BATCH = 500  # notices told in one round

GONE = (OSError, RuntimeError, TimeoutError)  # what the server raises for closed connections

Send = Callable[[dict[str, object]], Awaitable[None]]


@dataclass(eq=False)
class Listener:
    """One open connection; `still_may` asks anew whether its user may listen."""

    ae_title: str
    send: Send
    still_may: Callable[[], Awaitable[bool]]
    broken: bool = False

    async def tell(self, text: str) -> bool:
        """Send one message; False where that did not work, for good."""
        if self.broken:
            return False
        try:
            await asyncio.wait_for(
                self.send({"type": "websocket.send", "text": text}), SEND_SECONDS
            )
        except GONE as problem:
            log.info("Listener %s is gone: %s", self.ae_title, type(problem).__name__)
            self.broken = True
        return not self.broken

    async def dismiss(self) -> None:
        """Close the connection (1008: policy violation, RFC 6455 7.4.1)."""
        self.broken = True
        with suppress(*GONE):
            await self.send({"type": "websocket.close", "code": 1008})


class Hub:
    """All connections of this process. Nothing is asked of the database while there are none."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._rounds: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        return len(self.listeners) >= MOST_LISTENERS

    def add(self, listener: Listener) -> None:
        self.listeners.add(listener)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._run())

    def remove(self, listener: Listener) -> None:
        self.listeners.discard(listener)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        checked = clock()
        while self.listeners:
            more = False
            try:
                more = await self.tell_waiting() == BATCH
                if clock() - checked >= CHECK_SECONDS:
                    checked = clock()
                    await self.check()
            except Exception:
                # The next round may do better: the database comes back, too.
                log.exception("Subscribers could not be told in this round")
            await asyncio.sleep(0 if more else POLL_SECONDS)

    async def tell_waiting(self) -> int:
        """One round: everybody is told what waits for them, in order; returns how much it was."""
        by_title: dict[str, list[Listener]] = {}
        for one in self.listeners:
            if not one.broken:
                by_title.setdefault(one.ae_title, []).append(one)
        notices = await _waiting(by_title)
        told = await asyncio.gather(
            *(
                _tell([one for one in notices if one.ae_title == title], listeners)
                for title, listeners in by_title.items()
            )
        )
        delivered = [key for keys in told for key in keys]
        if delivered:
            await _mark(delivered)
        return len(delivered)

    async def check(self) -> None:
        """Dismiss those who may not listen any more."""
        for one in list(self.listeners):
            if not await one.still_may():
                await one.dismiss()


async def _tell(notices: Iterable[Notice], listeners: list[Listener]) -> list[int]:
    """The keys of what at least one listener took; after a failure the rest waits."""
    told = []
    for notice in notices:
        text = orjson.dumps(report_of(notice)).decode()
        taken = [await one.tell(text) for one in listeners]
        if not any(taken):
            break
        told.append(notice.pk)
    return told


@sync_to_async
def _waiting(titles: Iterable[str]) -> list[Notice]:
    close_old_connections()
    age = timedelta(hours=settings.OPENPACS_EVENTS_HOURS)
    return waiting_notices(list(titles), limit=BATCH, age=age)


@sync_to_async
def _mark(keys: list[int]) -> None:
    mark_delivered(keys)
