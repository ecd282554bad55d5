"""MLLP: HL7 v2 messages in frames of 0x0B ... 0x1C 0x0D over TCP, on bytes only.

What a frame holds is not looked at here. No Django: a listener gives its messages to a
callable and sends back whatever frames that yields.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

START = b"\x0b"
END = b"\x1c\x0d"
LIMIT = 32 * 1024 * 1024
CHUNK = 64 * 1024
BETWEEN_FRAMES = b"\r\n"  # line ends that some senders add after a frame
TICK_SECONDS = 0.25  # how soon a waiting thread sees that it is to stop

Answer = Callable[[bytes, str], Iterable[bytes]]


class FramingError(Exception):
    """The bytes are not MLLP: the connection cannot be trusted any more."""


class NoAnswerError(Exception):
    """The other side could not be reached, or did not answer within the deadline."""


def frame(message: bytes) -> bytes:
    """The message as it goes over the line."""
    return START + message + END


class FrameReader:
    """Cuts a stream of bytes into messages, wherever the reads were split.

    Holds at most `limit` bytes of an unfinished message.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._looked_at = 0

    @property
    def in_frame(self) -> bool:
        """Is a message begun and not finished?"""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; returns the messages it completes, in order.

        Raises FramingError on bytes between frames, on a start within a frame and on a
        message longer than the limit.
        """
        self._buffer += data
        found: list[bytes] = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> bytes | None:
        self._skip_line_ends()
        if not self._buffer:
            return None
        if not self._buffer.startswith(START):
            raise FramingError("bytes before the start of a message")
        # The end may have been split by the last read: look one byte back.
        end = self._buffer.find(END, max(1, self._looked_at - 1))
        if end < 0:
            self._check(len(self._buffer))
            self._looked_at = len(self._buffer)
            return None
        self._check(end)
        message = bytes(self._buffer[1:end])
        del self._buffer[: end + len(END)]
        self._looked_at = 0
        return message

    def _skip_line_ends(self) -> None:
        if self._looked_at == 0 and self._buffer.startswith((b"\r", b"\n")):
            self._buffer = self._buffer.lstrip(BETWEEN_FRAMES)

    def _check(self, end: int) -> None:
        if end - 1 > self._limit:
            raise FramingError(f"a message longer than {self._limit} bytes")
        if self._buffer.find(START, max(1, self._looked_at), end) >= 0:
            raise FramingError("a message that starts within a message")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one peer may take; times in seconds, sizes in bytes."""

    connections: int = 64
    connections_of_a_peer: int = 16
    idle: float = 3600.0
    frame: float = 120.0  # from the first to the last byte of one message
    send: float = 30.0
    message: int = LIMIT


@dataclass
class Counters:
    """What a listener has seen since it started."""

    connections: int = 0
    turned_away: int = 0
    messages: int = 0
    framing_errors: int = 0
    timeouts: int = 0


@dataclass
class Listener:
    """A TCP port that answers MLLP messages: one thread per connection, in order.

    `answer(message, peer address)` yields the messages to send back; `at_end` is called
    by each connection's thread when it is done.
    """

    host: str
    port: int
    answer: Answer
    limits: Limits = field(default_factory=Limits)
    at_end: Callable[[], None] = lambda: None
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: dict[threading.Thread, str] = {}
        self._guard = threading.Lock()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take the port (0: any free one, then in `port`); OSError where it is taken."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.create_server((self.host, self.port), family=family, backlog=64)
        self._socket.settimeout(TICK_SECONDS)
        self.port = self._socket.getsockname()[1]

    def serve(self) -> None:
        """Answer until `stop` is called, then wait for the messages under way."""
        if self._socket is None:
            self.open()
        while not self._stopping.is_set():
            self._accept()
        if self._socket is not None:
            self._socket.close()
        with self._guard:
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=self.limits.send)

    def stop(self) -> None:
        """Take no further messages; safe to call from a signal handler."""
        self._stopping.set()

    def _accept(self) -> None:
        assert self._socket is not None  # noqa: S101 - opened by serve()
        try:
            connection, address = self._socket.accept()
        except TimeoutError:
            return
        except OSError:
            # Out of file descriptors, or a peer that left while waiting: breathe, go on.
            logger.warning("an HL7 connection could not be accepted")
            self._stopping.wait(TICK_SECONDS)
            return
        self.counters.connections += 1
        with self._guard:
            peer = str(address[0])
            if self._is_full(peer):
                self.counters.turned_away += 1
                logger.warning("HL7 connection from %s turned away: too many", peer)
                connection.close()
                return
            thread = threading.Thread(target=self._converse, args=(connection, peer), daemon=True)
            self._threads[thread] = peer
        thread.start()

    def _is_full(self, peer: str) -> bool:
        # One peer that opens connections and forgets them must not shut out the others.
        of_this_peer = sum(one == peer for one in self._threads.values())
        return (
            len(self._threads) >= self.limits.connections
            or of_this_peer >= self.limits.connections_of_a_peer
        )

    def _converse(self, connection: socket.socket, peer: str) -> None:
        try:
            with connection:
                self._answer_or_count(connection, peer)
        finally:
            self.at_end()
            with self._guard:
                self._threads.pop(threading.current_thread(), None)

    def _answer_or_count(self, connection: socket.socket, peer: str) -> None:
        try:
            self._answer_all(connection, peer)
        except FramingError as error:
            self.counters.framing_errors += 1
            logger.warning("HL7 connection from %s closed: %s", peer, error)
        except TimeoutError:
            self.counters.timeouts += 1
            logger.info("HL7 connection from %s closed: it was silent", peer)
        except OSError as error:
            logger.info("HL7 connection from %s was cut: %s", peer, type(error).__name__)

    def _answer_all(self, connection: socket.socket, peer: str) -> None:
        reader = FrameReader(self.limits.message)
        connection.settimeout(TICK_SECONDS)
        since = time.monotonic()
        while not self._stopping.is_set():
            was_in_frame = reader.in_frame
            data = self._receive(connection, since=since, in_frame=was_in_frame)
            if data is None:
                continue
            if not data:
                return
            messages = reader.feed(data)
            for message in messages:
                self.counters.messages += 1
                self._reply(connection, self.answer(message, peer))
            if messages or not was_in_frame:
                since = time.monotonic()

    def _receive(self, connection: socket.socket, *, since: float, in_frame: bool) -> bytes | None:
        """What has come, b"" at the end, None where nothing came within a tick."""
        try:
            return connection.recv(CHUNK)
        except TimeoutError:
            pass
        finally:
            allowed = self.limits.frame if in_frame else self.limits.idle
            if time.monotonic() - since > allowed:
                raise TimeoutError
        return None

    def _reply(self, connection: socket.socket, replies: Iterable[bytes]) -> None:
        for reply in replies:
            connection.settimeout(self.limits.send)
            connection.sendall(frame(reply))
        connection.settimeout(TICK_SECONDS)


def exchange(host: str, port: int, message: bytes, *, timeout: float) -> bytes:
    """Send one message and return the first answer; `timeout` is for all of it, in seconds.

    Raises NoAnswerError with a short reason in every other case.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(frame(message))
            return _first_answer(connection, deadline)
    except TimeoutError as error:
        raise NoAnswerError("no answer in time") from error
    except (OSError, FramingError) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error


def _first_answer(connection: socket.socket, deadline: float) -> bytes:
    reader = FrameReader()
    while True:
        connection.settimeout(_left(deadline))
        data = connection.recv(CHUNK)
        if not data:
            raise NoAnswerError("the connection was closed without an answer")
        if answers := reader.feed(data):
            return answers[0]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
