"""The MLLP listener with the inbound path behind it."""

from collections.abc import Iterator

from django.db import connections

from apps.hl7.inbound import receive
from apps.hl7.mllp import Limits, Listener


def make_listener(host: str, port: int, *, limits: Limits | None = None) -> Listener:
    """A listener that takes messages; `open` takes the port, `serve` runs it."""
    return Listener(host, port, _answer, limits=limits or Limits(), at_end=connections.close_all)


def _answer(message: bytes, address: str) -> Iterator[bytes]:
    # A peer may be silent for an hour: the database may have hung up meanwhile. Closing it
    # after every message, as web requests do, would make SQLite checkpoint each time.
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.is_usable():
            connection.close()
    yield from receive(message, address)
