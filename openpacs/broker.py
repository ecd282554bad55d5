"""A Celery broker that is a folder: for a department without Redis.

Kombu has one, but it reads messages that are still being written, which ends the worker.
Here a message gets its name only when it is whole. Order is by time of sending; a message
taken by a worker that dies is lost, as a nudge may be (the sweeps find the work).

Layout: ROOT/<queue>/<time>-<random>.json, ROOT from the transport option `folder`.
"""

import logging
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)


class Channel(virtual.Channel):
    """Kombu's hooks: put, get, size and purge of one queue."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        name = f"{time.time_ns():020}-{uuid.uuid4().hex}"
        part = self._folder(queue) / f"{name}.part"
        try:
            part.write_text(dumps(message))
            part.rename(part.with_suffix(".json"))
        except OSError as problem:
            part.unlink(missing_ok=True)
            raise ChannelError(f"Cannot write to the broker's folder: {problem}") from problem

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for path in self._messages(queue):
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)  # of two workers one succeeds
            except FileNotFoundError:
                continue
            text = taken.read_text()
            taken.unlink()
            try:
                return loads(text)
            except ValueError:
                log.warning("A message of queue %s was not JSON; thrown away", queue)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _purge(self, queue: str) -> int:
        messages = self._messages(queue)
        for path in messages:
            path.unlink(missing_ok=True)
        return len(messages)

    def _messages(self, queue: str) -> list[Path]:
        folder = self._folder(queue)
        names = sorted(os.listdir(folder))  # noqa: PTH208 - many times a second, for nothing mostly
        return [folder / name for name in names if name.endswith(".json")]

    def _folder(self, queue: str) -> Path:
        client: Any = self.connection.client
        folder = Path(client.transport_options["folder"]) / queue
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        return folder


class Transport(virtual.Transport):
    """`folder://`: registered by openpacs/celery.py."""

    Channel = Channel
    default_port = 0
    driver_type = "folder"
    driver_name = "folder"

    def driver_version(self) -> str:
        return "1"
