"""A TLS connection that behaves as a plain blocking socket does, deadlines included.

`ssl.SSLSocket` does not suit `Wire`: on a blocking socket it tries again when the kernel's
timeout strikes, and it asks the kernel twice for every record of 16 KB. Here OpenSSL works in
memory, and the socket is read in large pieces.
"""

import contextlib
import socket
import ssl
import time
from typing import Any

from apps.dimse.wire import TICK_SECONDS, TIMEVAL

PIECE = 128 * 1024


class HandshakeError(OSError):
    """TLS did not come about: no TLS at all, another version, no certificate we trust."""


class SecureSocket:
    """What `Wire` needs of a socket. Not for two threads at once, except `shutdown`."""

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext,
        *,
        server_side: bool = True,
        host: str | None = None,
    ) -> None:
        self._socket = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=host
        )
        self._cipher = bytearray(PIECE)
        self._view = memoryview(self._cipher)
        self._peeked = b""

    def handshake(self, seconds: float) -> None:
        """Raises HandshakeError, also when it takes longer than `seconds` in all."""
        deadline = time.monotonic() + seconds
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEVAL.pack(TICK_SECONDS, 0)
        )
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, TIMEVAL.pack(max(1, int(seconds)), 0)
        )
        try:
            while not self._shake():
                if time.monotonic() >= deadline:
                    raise HandshakeError("TLS took too long to come about")
        except ssl.SSLError as error:
            with contextlib.suppress(OSError):
                self._flush()  # the alert that says why
            raise HandshakeError(error.reason or "no TLS") from None
        except BlockingIOError:
            raise HandshakeError("the peer does not read") from None

    def certificate(self) -> bytes | None:
        """The peer's certificate (DER), verified; None where it showed none."""
        return self._tls.getpeercert(binary_form=True)

    def recv_into(self, buffer: memoryview, flags: int = 0) -> int:
        """At least one byte, or 0 at the end; raises BlockingIOError when the tick is over."""
        if self._peeked:
            return self._unpeek(buffer)
        while (count := self._decrypt(buffer)) is None:
            if not self._receive(flags):
                return 0
        return count

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As `socket.recv`; `flags` may hold MSG_PEEK and MSG_DONTWAIT."""
        if not self._peeked:
            piece = bytearray(size)
            count = self.recv_into(memoryview(piece), flags & socket.MSG_DONTWAIT)
            self._peeked = bytes(piece[:count])
        taken = self._peeked[:size]
        if not flags & socket.MSG_PEEK:
            self._peeked = self._peeked[size:]
        return taken

    def sendall(self, data: bytes) -> None:
        """Raises BlockingIOError where the peer does not read."""
        view = memoryview(data)
        for position in range(0, len(view), PIECE):
            self._tls.write(view[position : position + PIECE])
            self._flush()

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        self._socket.setsockopt(level, option, value)

    def settimeout(self, value: float | None) -> None:
        self._socket.settimeout(value)

    def shutdown(self, how: int) -> None:
        self._socket.shutdown(how)

    def close(self) -> None:
        """Say good-bye where that takes no waiting, and hang up."""
        with contextlib.suppress(OSError, ValueError):
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
            self._socket.send(self._outgoing.read(), socket.MSG_DONTWAIT)
        self._socket.close()

    def _shake(self) -> bool:
        """One step of the handshake; True when it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            with contextlib.suppress(BlockingIOError):
                if not self._receive():
                    raise HandshakeError("closed by the peer") from None
            return False
        self._flush()
        return True

    def _decrypt(self, buffer: memoryview) -> int | None:
        """Every whole record that has come and fits; None where there is none."""
        position = 0
        try:
            while position < len(buffer):
                count: Any = self._tls.read(len(buffer) - position, buffer[position:])
                if not count:
                    break
                position += count
        except ssl.SSLWantReadError:
            if self._outgoing.pending:
                self._flush()
            return position or None
        except ssl.SSLZeroReturnError:
            pass
        return position

    def _receive(self, flags: int = 0) -> int:
        """Bytes off the connection, as they are; 0 at its end."""
        count = self._socket.recv_into(self._view, 0, flags)
        self._incoming.write(self._view[:count])
        return count

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._socket.sendall(self._outgoing.read())

    def _unpeek(self, buffer: memoryview) -> int:
        taken = self._peeked[: len(buffer)]
        buffer[: len(taken)] = taken
        self._peeked = self._peeked[len(taken) :]
        return len(taken)
