"""Waiting for what other threads and processes do."""

import socket
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], *, seconds: float = 20, pause: float = 0.02) -> None:
    """Until it holds, asked every `pause` seconds; fails where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)


def listens(port: int) -> bool:
    """Whether somebody on this machine takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for_port(port: int, *, seconds: float = 20) -> None:
    wait_for(lambda: listens(port), seconds=seconds)
