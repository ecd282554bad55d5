"""One association: the peer's requests come out of it, responses go back, and our own."""

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.audit.services import Origin
from apps.dimse import messages, wire
from apps.dimse.messages import COMMAND, LAST, Command
from apps.dimse.models import CommitmentRequest
from apps.dimse.negotiation import Context
from apps.dimse.wire import ProtocolError, Wire
from apps.worklist.models import Device

_PDV = struct.Struct(">LBB")
Fragment = tuple[int, int, memoryview]


class ReleasedError(Exception):
    """The peer asks to end the association in good order (A-RELEASE-RQ)."""

    def __str__(self) -> str:
        return "released by the peer"


@dataclass
class Pending:
    """A storage commitment that this association asked for and was not told about yet."""

    request_id: int
    context: Context
    row: CommitmentRequest | None = None  # from the report on, until its answer
    message_id: int = 0
    since: float = 0.0


class Association:
    """The state of one association. `next_request` is called from one thread only."""

    def __init__(
        self,
        connection: Wire,
        *,
        device: Device,
        address: str,
        contexts: dict[int, Context],
        max_pdu: int,
        extended: dict[str, bytes] | None = None,
    ) -> None:
        self.wire = connection
        self.device = device
        self.contexts = contexts
        self.extended = extended or {}  # SOP class to the bytes settled (PS3.4 C.5)
        self.origin = Origin(protocol="dimse", peer=device.ae_title, address=address)
        self.stored: list[Path] = []  # files of this association, to wait for at release
        self.unannounced: list[str] = []  # of these, what the ingest task does not know yet
        self.announced_at = time.monotonic()
        self.pending: list[Pending] = []
        # Takes the answers of the peer to requests of ours (N-EVENT-REPORT).
        self.on_response: Callable[[Request], None] = lambda _response: None
        self.put_off: list[Callable[[], None]] = []  # until the peer need not wait for it
        self.max_pdu = max_pdu
        self._between = True
        self._holding = False
        self._fragments = self._read_fragments()
        self._current: Request | None = None
        self._last_message_id = 0
        self._cancelled: set[int] = set()  # Message IDs that C-CANCELs named

    def next_request(self) -> "Request":
        """The next request of the peer; raises ReleasedError when there is none."""
        self._cancelled.clear()
        while True:
            request = self._next_message()
            if request.command.field & messages.RESPONSE:
                self.on_response(request)
                continue
            if request.command.field == messages.C_CANCEL_RQ:
                continue  # too late: what it cancels has been answered
            return request

    def cancelled(self, message_id: int) -> bool:
        """Has the peer sent a C-CANCEL for a request that is being answered? Does not wait."""
        while message_id not in self._cancelled and self.wire.has_pdu():
            self._take_note(self._next_message())
        return message_id in self._cancelled

    def next_response(self, message_id: int) -> Command:
        """The answer to a C-STORE-RQ of ours; C-CANCELs that come before it are kept."""
        while True:
            message = self._next_message()
            command = message.command
            if command.field != messages.C_STORE_RSP:
                self._take_note(message)
            elif command.number(messages.RESPONDED_ID) == message_id:
                return command
            else:
                raise ProtocolError("an answer to another message")

    def send(
        self, context: Context, values: dict[int, int | str], data_set: bytes | None = None
    ) -> None:
        """Send one message."""
        self.wire.send(*self.encode(context, values, data_set))

    def encode(
        self, context: Context, values: dict[int, int | str], data_set: bytes | None = None
    ) -> list[bytes]:
        """The PDUs of one message."""
        command = messages.encode_command(values)
        pieces = messages.fragments(context.identifier, command, data_set, max_pdu=self.max_pdu)
        return list(pieces)

    def new_message_id(self) -> int:
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def next_fragment(self) -> Fragment:
        return next(self._fragments)

    def hold(self) -> bool:
        """Keep fragments valid while the next ones are read; False where there is no room."""
        self._holding = self.wire.fits()
        return self._holding

    def _take_note(self, message: "Request") -> None:
        """What a peer may say while it waits for an answer of ours."""
        if message.command.field & messages.RESPONSE:
            self.on_response(message)
        elif message.command.field == messages.C_CANCEL_RQ:
            self._cancelled.add(message.command.number(messages.RESPONDED_ID))
        else:
            raise ProtocolError("a request before the last one is answered")

    def _next_message(self) -> "Request":
        """Whatever the peer says next; what was not read of the last message is read over."""
        if self._current is not None:
            self._current.skip()
        self._current = self._read_request()
        return self._current

    def _read_request(self) -> "Request":
        self._between, self._holding = True, False
        context_id, flags, piece = self.next_fragment()
        self._between = False
        raw = bytearray()
        while True:
            raw += piece
            if not flags & COMMAND or len(raw) > self.wire.limits.command_set:
                raise ProtocolError("no command set where one is due")
            if flags & LAST:
                break
            context_id, flags, piece = self._same_context(context_id)
        context = self.contexts.get(context_id)
        if context is None:
            raise ProtocolError(f"presentation context {context_id} was not accepted")
        return Request(self, context, messages.decode_command(bytes(raw)))

    def _same_context(self, context_id: int) -> Fragment:
        fragment = self.next_fragment()
        if fragment[0] != context_id:
            raise ProtocolError("two messages mixed")
        return fragment

    def _read_fragments(self) -> Iterator[Fragment]:
        while True:
            kind, body = self.wire.read(idle=self._between, keep=self._holding)
            if kind == wire.ABORT:
                raise wire.PeerGoneError("aborted by the peer")
            if kind == wire.RELEASE_RQ and self._between:
                raise ReleasedError
            if kind != wire.P_DATA:
                raise ProtocolError(f"PDU of type {kind}", reason=wire.UNEXPECTED_PDU)
            yield from _cut(body)


class Request:
    """A request: its command set, and its data set while it arrives."""

    def __init__(self, association: Association, context: Context, command: Command) -> None:
        self.association = association
        self.context = context
        self.command = command
        self._arriving = command.has_data_set

    def fragments(self) -> Iterator[memoryview]:
        """The data set piece by piece, each valid until the next one is asked for."""
        limits = self.association.wire.limits
        deadline = time.monotonic() + limits.object_seconds
        total = 0
        while self._arriving:
            context_id, flags, piece = self.association.next_fragment()
            if context_id != self.context.identifier or flags & COMMAND:
                raise ProtocolError("two messages mixed")
            total += len(piece)
            if total > limits.object:
                raise ProtocolError("object too large")
            if time.monotonic() > deadline:
                raise wire.TooSlowError("object takes too long")
            self._arriving = not flags & LAST
            yield piece

    def batches(self) -> Iterator[list[memoryview]]:
        """Pieces of the data set, as many as there is room for at a time.

        Each batch is valid until the next one is asked for.
        """
        held: list[memoryview] = []
        for piece in self.fragments():
            held.append(piece)
            if not self.association.hold():
                yield held
                held = []
        if held:
            yield held

    def data_set(self) -> bytes:
        """The whole data set of a request that is not an image; b"" where there is none."""
        raw = bytearray()
        for piece in self.fragments():
            raw += piece
            if len(raw) > self.association.wire.limits.identifier:
                raise ProtocolError("data set too large")
        return bytes(raw)

    def skip(self) -> None:
        """Read over what has not been read of the data set."""
        for _batch in self.batches():
            pass

    def respond(self, status: int, data_set: bytes | None = None, **details: Any) -> None:
        """Answer; the rest of the request's data set is read over first."""
        self.skip()
        values = messages.response_to(
            self.command, status, data_set=data_set is not None, **details
        )
        self.association.send(self.context, values, data_set)


def _cut(body: memoryview) -> Iterator[Fragment]:
    """The presentation data values of one P-DATA-TF (PS3.8 9.3.5.1)."""
    position = 0
    while position < len(body):
        if len(body) - position < _PDV.size:
            raise ProtocolError("P-DATA-TF cut short")
        length, context_id, flags = _PDV.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError("presentation data value longer than its PDU")
        yield context_id, flags, body[position + _PDV.size : end]
        position = end
