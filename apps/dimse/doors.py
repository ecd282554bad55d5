"""A port we listen at, by itself or together with forks of this process.

All processes wait at one socket and the kernel wakes them in turn, the one that has waited
longest first: docs/decisions/0012.
"""

import select
import socket
import time
from dataclasses import dataclass

from apps.dimse.wire import TIMEVAL

BACKLOG = 512
WAIT_SECONDS = 0.25  # how often a waiting process looks whether it is to stop
STEP_BACK_SECONDS = 0.02  # for others, who have less to do


@dataclass(frozen=True)
class Newcomer:
    """A connection that has just been accepted."""

    connection: socket.socket
    address: str
    encrypted: bool


class Door:
    """A listening socket; `port` 0 takes a free one. Raises OSError if it is taken."""

    def __init__(self, host: str, port: int, *, encrypted: bool) -> None:
        self.encrypted = encrypted
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # The kernel's own timeout: with a timeout of Python's all processes would be woken
        # for each connection, and all but one in vain.
        timeout = TIMEVAL.pack(0, int(WAIT_SECONDS * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self.port: int = self._socket.getsockname()[1]

    def accept(self, *, leave_to_others: bool = False) -> Newcomer | None:
        """The next connection, or None where none came in a moment; raises OSError.

        `leave_to_others`: only one that nobody else takes.
        """
        if leave_to_others:
            time.sleep(STEP_BACK_SECONDS)
            if not self._waits():
                return None
        try:
            connection, peer = self._socket.accept()
        except BlockingIOError:
            return None
        return Newcomer(connection, peer[0], self.encrypted)

    def close(self) -> None:
        self._socket.close()

    def _waits(self) -> bool:
        """Is there a connection now? Another process may still take it."""
        return bool(select.select([self._socket], [], [], 0)[0])
