"""DIMSE command sets and their fragments (PS3.7 section 9, PS3.8 annex E)."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from apps.dimse.wire import HEADER, P_DATA, ProtocolError

# Command Field (0000,0100), PS3.7 E.1.
C_STORE_RQ, C_GET_RQ, C_FIND_RQ, C_MOVE_RQ = 0x0001, 0x0010, 0x0020, 0x0021
C_STORE_RSP = 0x8001
C_ECHO_RQ, C_CANCEL_RQ = 0x0030, 0x0FFF
N_EVENT_REPORT_RQ, N_GET_RQ, N_SET_RQ, N_ACTION_RQ, N_CREATE_RQ = 0x100, 0x110, 0x120, 0x130, 0x140
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
LAST, COMMAND = 0x02, 0x01

_GROUP_LENGTH = struct.Struct("<HHLL")
_ELEMENT = struct.Struct("<HHL")
_PDV = struct.Struct(">LBB")
Buffer = bytes | memoryview
MOST_PDU = 128 * 1024  # what we send to peers without a maximum
# Elements of group 0000 that hold numbers (all others used here are text).
_SHORTS = frozenset(
    {0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x0903, 0x1002, 0x1008}
    | {0x1020, 0x1021, 0x1022, 0x1023, 0x1031}
)
AFFECTED_CLASS, REQUESTED_CLASS = 0x0002, 0x0003
COMMAND_FIELD, MESSAGE_ID, RESPONDED_ID = 0x0100, 0x0110, 0x0120
DATA_SET_TYPE, STATUS, ERROR_COMMENT, ERROR_ID = 0x0800, 0x0900, 0x0902, 0x0903
AFFECTED_INSTANCE, REQUESTED_INSTANCE = 0x1000, 0x1001
EVENT_TYPE, ACTION_TYPE = 0x1002, 0x1008
ATTRIBUTE_LIST = 0x1005
OFFENDING = 0x0901  # a tag (PS3.7 C.4.2)
DESTINATION, PRIORITY = 0x0600, 0x0700
# Numbers of sub-operations (PS3.7 tables 9.1-3 and 9.1-4).
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
ORIGINATOR, ORIGINATOR_MESSAGE_ID = 0x1030, 0x1031
_SPACE_PADDED = frozenset({DESTINATION, ERROR_COMMENT, ORIGINATOR})


@dataclass(frozen=True)
class Command:
    """A command set: element number (of group 0000) to its value."""

    values: dict[int, int | str]

    def number(self, element: int) -> int:
        value = self.values.get(element)
        if not isinstance(value, int):
            raise ProtocolError(f"command without (0000,{element:04X})")
        return value

    def text(self, element: int) -> str:
        return str(self.values.get(element, ""))

    @property
    def field(self) -> int:
        return self.number(COMMAND_FIELD)

    @property
    def message_id(self) -> int:
        return self.number(MESSAGE_ID)

    @property
    def sop_class_uid(self) -> str:
        return self.text(AFFECTED_CLASS) or self.text(REQUESTED_CLASS)

    @property
    def sop_instance_uid(self) -> str:
        return self.text(AFFECTED_INSTANCE) or self.text(REQUESTED_INSTANCE)

    @property
    def has_data_set(self) -> bool:
        return self.values.get(DATA_SET_TYPE, NO_DATA_SET) != NO_DATA_SET


def decode_command(raw: bytes) -> Command:
    """A command set, always Implicit VR Little Endian (PS3.7 6.3.1); raises ProtocolError."""
    values: dict[int, int | str] = {}
    position = 0
    while position < len(raw):
        if len(raw) - position < _ELEMENT.size:
            raise ProtocolError("command set cut short")
        group, element, length = _ELEMENT.unpack_from(raw, position)
        position += _ELEMENT.size
        value = raw[position : position + length]
        if group != 0 or len(value) != length:
            raise ProtocolError("not a command set")
        position += length
        if element == ATTRIBUTE_LIST:
            tags = struct.unpack(f"<{len(value) // 4 * 2}H", value[: len(value) // 4 * 4])
            pairs = zip(tags[::2], tags[1::2], strict=True)
            values[element] = "\\".join(f"{one:04X}{two:04X}" for one, two in pairs)
        elif element not in _SHORTS:
            values[element] = value.decode("ascii", "replace").rstrip("\0 ")
        elif length == 2:
            values[element] = int.from_bytes(value, "little")
    return Command(values)


def encode_command(values: dict[int, int | str]) -> bytes:
    """A command set with its group length."""
    body = b"".join(_encode(element, values[element]) for element in sorted(values))
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def response_to(
    command: Command,
    status: int,
    *,
    data_set: bool = False,
    counts: Mapping[int, int] | None = None,
    **details: str | int,
) -> dict[int, int | str]:
    """The values of the response to a request.

    `counts`: numbers of sub-operations by their element.
    `details`: `comment` (0000,0902, at most 64 characters), `error_id` (0000,0903),
    `instance` (the SOP Instance UID, where it is not the requested one), `offending`
    (0000,0901, the tag of the element at fault).
    """
    values: dict[int, int | str] = {
        COMMAND_FIELD: command.field | RESPONSE,
        RESPONDED_ID: command.message_id,
        DATA_SET_TYPE: 0 if data_set else NO_DATA_SET,
        STATUS: status,
    }
    if command.sop_class_uid:
        values[AFFECTED_CLASS] = command.sop_class_uid
    instance = details.get("instance") or command.sop_instance_uid
    if instance:
        values[AFFECTED_INSTANCE] = instance
    if details.get("comment"):
        values[ERROR_COMMENT] = str(details["comment"])[:64]
    if details.get("error_id"):
        values[ERROR_ID] = details["error_id"]
    if details.get("offending"):
        values[OFFENDING] = details["offending"]
    if ACTION_TYPE in command.values:
        values[ACTION_TYPE] = command.values[ACTION_TYPE]
    return {**values, **(counts or {})}


def store_request(
    sop_class_uid: str, sop_instance_uid: str, message_id: int, originator: tuple[str, int] | None
) -> bytes:
    """The command set of a C-STORE-RQ (PS3.7 table 9.3-1).

    `originator`: AE title and Message ID of the C-MOVE that it belongs to.
    """
    values: dict[int, int | str] = {
        AFFECTED_CLASS: sop_class_uid,
        COMMAND_FIELD: C_STORE_RQ,
        MESSAGE_ID: message_id,
        PRIORITY: 0,
        DATA_SET_TYPE: 0,
        AFFECTED_INSTANCE: sop_instance_uid,
    }
    if originator is not None:
        values[ORIGINATOR], values[ORIGINATOR_MESSAGE_ID] = originator
    return encode_command(values)


def fragments(
    context_id: int, command: bytes, data_set: bytes | None, *, max_pdu: int
) -> Iterator[bytes]:
    """The P-DATA-TF PDUs of one message, each within the peer's maximum (0: no maximum)."""
    yield from _cut(context_id, command, COMMAND, max_pdu)
    if data_set is not None:
        yield from _cut(context_id, data_set, 0, max_pdu)


def data_set_pieces(
    context_id: int, data_set: Buffer, *, max_pdu: int, last: bool
) -> Iterator[Buffer]:
    """PDU headers and slices of a data set (or a part of one), by turns: nothing is copied."""
    size = _room(max_pdu)
    view, end = memoryview(data_set), len(data_set)
    header = _data_header(context_id, size, 0)
    for position in range(0, end, size):
        length = min(size, end - position)
        flags = LAST if last and position + length == end else 0
        whole = length == size and not flags
        yield header if whole else _data_header(context_id, length, flags)
        yield view[position : position + length]


def _room(max_pdu: int) -> int:
    """Bytes of a message in one PDU: an even number (PS3.8 annex D)."""
    return (min(max_pdu or MOST_PDU, MOST_PDU) - _PDV.size) & ~1


def _data_header(context_id: int, length: int, flags: int) -> bytes:
    return HEADER.pack(P_DATA, length + _PDV.size) + _PDV.pack(length + 2, context_id, flags)


def _cut(context_id: int, raw: bytes, flags: int, max_pdu: int) -> Iterator[bytes]:
    size = _room(max_pdu)
    for position in range(0, max(len(raw), 1), size):
        piece = raw[position : position + size]
        last = LAST if position + size >= len(raw) else 0
        yield _data_header(context_id, len(piece), flags | last) + piece


def _encode(element: int, value: int | str) -> bytes:
    if element == OFFENDING:
        raw = struct.pack("<HH", int(value) >> 16, int(value) & 0xFFFF)
    elif isinstance(value, int):
        raw = value.to_bytes(2, "little")
    else:
        raw = value.encode("ascii", "replace")
        # UIDs are padded with NUL, text with a space (PS3.5 9.1, 6.2).
        raw += (b" " if element in _SPACE_PADDED else b"\0") * (len(raw) % 2)
    return _ELEMENT.pack(0, element, len(raw)) + raw
