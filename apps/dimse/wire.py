"""PDUs on a TCP connection (PS3.8 9.3): read in place, written in one piece."""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from mmap import mmap
from typing import Protocol

from apps.dicom.pieces import MOST_PIECES
from apps.dimse.limits import Limits

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07
HEADER = struct.Struct(">BxL")
TICK_SECONDS = 1  # how often a waiting read looks at its deadline and at the listener
PDUS_HELD = 8
TIMEVAL = struct.Struct("ll")
# Acknowledge at once, re-armed after every read: peers that leave Nagle's algorithm on wait
# for it twice per image, 40 ms each time. Linux only.
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)

# Abort sources and reasons (PS3.8 table 9-26).
SERVICE_USER, SERVICE_PROVIDER = 0, 2
NOT_SPECIFIED, UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 0, 1, 2, 6


class PeerGoneError(Exception):
    """The connection is closed, broken or aborted by the peer: there is nobody to answer."""


class ProtocolError(Exception):
    """The peer breaks the rules of PS3.8; `reason` goes into the A-ABORT."""

    def __init__(self, message: str, *, reason: int = INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


class TooSlowError(ProtocolError):
    """The peer did not send in time what it has to send."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason=NOT_SPECIFIED)


class StoppedError(Exception):
    """The listener is being stopped."""


class Connection(Protocol):
    """A blocking socket, by what is needed of it here; `secure.SecureSocket` is one too."""

    def recv_into(self, buffer: memoryview, /) -> int: ...
    def recv(self, size: int, flags: int = 0, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def setsockopt(self, level: int, option: int, value: int | bytes, /) -> None: ...
    def settimeout(self, value: float | None, /) -> None: ...
    def close(self) -> None: ...


class Wire:
    """One connection. A body returned by `read` is valid until the next `read`, unless kept."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        *,
        stopped: Callable[[], bool] = lambda: False,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.connection = connection
        self.limits = limits
        self.on_idle = on_idle
        self._stopped = stopped
        self._buffer: bytearray | mmap = bytearray(HEADER.size)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0  # what is read and not used yet
        self._keep = False
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._set_kernel_timeout(socket.SO_RCVTIMEO, TICK_SECONDS)
        self._set_kernel_timeout(socket.SO_SNDTIMEO, limits.send_seconds)

    def read_associate(self) -> bytes:
        """The body of the A-ASSOCIATE-RQ a connection has to begin with.

        Raises ProtocolError for anything else before more than a header is taken in.
        """
        return self._read_first({ASSOCIATE_RQ: 68})[1]

    def read_associate_answer(self) -> tuple[int, bytes]:
        """What answers an A-ASSOCIATE-RQ of ours, type and body; raises ProtocolError."""
        return self._read_first({ASSOCIATE_AC: 68, ASSOCIATE_RJ: 4, ABORT: 4})

    def _read_first(self, smallest: dict[int, int]) -> tuple[int, bytes]:
        """The first PDU of a connection: one of these types, of at least so many bytes."""
        deadline = time.monotonic() + self.limits.handshake_seconds
        self._fill(HEADER.size, deadline, idle=True)
        kind, length = HEADER.unpack_from(self._view)
        if kind not in smallest:
            raise ProtocolError("no PDU that begins an association", reason=UNEXPECTED_PDU)
        if not smallest[kind] <= length <= self.limits.associate_pdu:
            raise ProtocolError(f"PDU of type {kind} with {length} bytes")
        self._resize(HEADER.size + length)
        self._fill(HEADER.size + length, deadline, idle=True)
        body = bytes(self._view[HEADER.size : HEADER.size + length])
        # From now on: room for an image as most are, in P-DATA PDUs of the size we announce.
        self._resize(PDUS_HELD * (HEADER.size + self.limits.max_pdu))
        self._start += HEADER.size + length
        return kind, body

    def read(self, *, idle: bool, keep: bool = False) -> tuple[int, memoryview]:
        """The next PDU: its type and body.

        `idle`: between two messages, where the peer may take its time to begin.
        `keep`: bodies that were read before stay valid too; to be asked for while it `fits`.
        """
        self._keep = keep
        if self._end - self._start < HEADER.size:
            patience = self.limits.idle_seconds if idle else self.limits.pdu_seconds
            self._fill(1, time.monotonic() + patience, idle=idle)
        deadline = time.monotonic() + self.limits.pdu_seconds
        self._fill(HEADER.size, deadline)
        kind, length = HEADER.unpack_from(self._view, self._start)
        self._check(kind, length)
        self._fill(HEADER.size + length, deadline)
        first = self._start + HEADER.size
        self._start = first + length
        return kind, self._view[first : self._start]

    def fits(self) -> bool:
        """Is there room for one more PDU behind those that are held?"""
        return len(self._buffer) - self._start >= HEADER.size + self.limits.max_pdu

    def has_pdu(self) -> bool:
        """Has the peer sent something that is not read yet? Does not wait."""
        if self._end > self._start:
            return True
        try:
            if self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return True
        except BlockingIOError:
            return False
        except OSError as error:
            raise PeerGoneError(str(error)) from None
        raise PeerGoneError("closed by the peer")

    def send(self, *parts: bytes | memoryview) -> None:
        """Write one or more whole PDUs at once."""
        try:
            self.connection.sendall(b"".join(parts))
        except BlockingIOError:
            raise PeerGoneError("the peer does not read") from None
        except OSError as error:
            raise PeerGoneError(str(error)) from None

    def send_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write whole PDUs that are given in pieces, without a copy of them all."""
        if not isinstance(self.connection, socket.socket):  # TLS copies them anyway
            self.send(*pieces)
            return
        deadline = time.monotonic() + self.limits.object_seconds
        left = list(pieces)
        try:
            while left:
                sent = self.connection.sendmsg(left[:MOST_PIECES])
                left = _beyond(left, sent)
                if left and time.monotonic() > deadline:
                    raise PeerGoneError("the peer reads too slowly")
        except BlockingIOError:
            raise PeerGoneError("the peer does not read") from None
        except OSError as error:
            raise PeerGoneError(str(error)) from None

    def drain(self) -> None:
        """Wait for the peer to close, so that our last words reach it (PS3.8 state 13)."""
        deadline = time.monotonic() + self.limits.linger_seconds
        self._set_kernel_timeout(socket.SO_RCVTIMEO, self.limits.linger_seconds)
        while time.monotonic() < deadline and not self._stopped():
            try:
                if not self.connection.recv(65536):
                    return
            except OSError:
                return

    def close(self) -> None:
        self.connection.close()

    def _check(self, kind: int, length: int) -> None:
        if kind == P_DATA:
            if not 6 <= length <= self.limits.max_pdu:
                raise ProtocolError(f"P-DATA-TF of {length} bytes")
        elif kind in (RELEASE_RQ, RELEASE_RP, ABORT):
            if length != 4:
                raise ProtocolError(f"PDU of type {kind} with {length} bytes")
        elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ):
            raise ProtocolError("A-ASSOCIATE within an association", reason=UNEXPECTED_PDU)
        else:
            raise ProtocolError(f"PDU of type {kind}", reason=UNRECOGNIZED_PDU)

    def _fill(self, wanted: int, deadline: float, *, idle: bool = False) -> None:
        """Receive until `wanted` bytes are at hand; never asks for a byte too few."""
        while self._end - self._start < wanted:
            self._make_room(wanted)
            if idle and self._stopped():
                raise StoppedError
            self._end += self._receive()
            if self._end - self._start >= wanted:
                return
            if time.monotonic() >= deadline:
                raise TooSlowError("nothing heard in time" if idle else "half a PDU, then silence")
            if idle:
                self.on_idle()

    def _receive(self) -> int:
        """How many bytes came within one tick."""
        try:
            count = self.connection.recv_into(self._view[self._end :])
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise PeerGoneError(str(error)) from None
        if count == 0:
            raise PeerGoneError("closed by the peer")
        if QUICKACK is not None:
            self.connection.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        return count

    def _make_room(self, wanted: int) -> None:
        if self._start == self._end and not self._keep:
            self._start = self._end = 0
        elif self._start + wanted > len(self._buffer):
            held = bytes(self._view[self._start : self._end])
            self._view[: len(held)] = held
            self._start, self._end = 0, len(held)

    def _resize(self, size: int) -> None:
        held = bytes(self._view[: self._end])
        # Memory of the kernel: what is never filled costs nothing.
        self._buffer = mmap(-1, max(size, len(held)))
        self._view = memoryview(self._buffer)
        self._view[: len(held)] = held

    def _set_kernel_timeout(self, option: int, seconds: float) -> None:
        # The kernel's own timeout: a read stays one system call, without a poll before it.
        whole = int(seconds)
        value = TIMEVAL.pack(whole, int((seconds - whole) * 1_000_000))
        self.connection.setsockopt(socket.SOL_SOCKET, option, value)


def _beyond(pieces: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """What is left of the pieces after so many bytes."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]]
        sent -= len(piece)
    return []


def release_rq() -> bytes:
    return HEADER.pack(RELEASE_RQ, 4) + bytes(4)


def release_rp() -> bytes:
    return HEADER.pack(RELEASE_RP, 4) + bytes(4)


def abort(*, source: int, reason: int) -> bytes:
    return HEADER.pack(ABORT, 4) + bytes((0, 0, source, reason))
