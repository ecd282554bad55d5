"""The MLLP listener with the inbound path behind it."""

from collections.abc import Iterator

from django.db import close_old_connections, connections

from apps.hl7.inbound import receive
from apps.hl7.mllp import Limits, Listener


def make_listener(host: str, port: int, *, limits: Limits | None = None) -> Listener:
    """A listener that takes messages; `open` takes the port, `serve` runs it."""
    return Listener(host, port, _answer, limits=limits or Limits(), at_end=connections.close_all)


def _answer(message: bytes, address: str) -> Iterator[bytes]:
    # A connection may be silent for an hour: its database connection may be gone by now.
    close_old_connections()
    yield from receive(message, address)
