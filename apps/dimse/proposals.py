"""What a peer proposes: its A-ASSOCIATE-RQ, read item by item (PS3.8 9.3.2, PS3.7 D.3.3).

Items nobody knows are passed over, as PS3.8 9.3.1 asks; lengths that do not fit, contexts
without a number of their own and whatever else cannot be answered raise ProtocolError.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from apps.dimse.wire import ProtocolError

# Item types (PS3.8 tables 9-11 ff., PS3.7 annex D.3.3).
APPLICATION_CONTEXT, PROPOSED_CONTEXT, ANSWERED_CONTEXT = 0x10, 0x20, 0x21
ABSTRACT_SYNTAX, TRANSFER_SYNTAX, USER_INFORMATION = 0x30, 0x40, 0x50
MAX_LENGTH, IMPLEMENTATION_CLASS, ROLES, IMPLEMENTATION_VERSION = 0x51, 0x52, 0x54, 0x55
EXTENDED, IDENTITY, IDENTITY_ANSWER = 0x56, 0x58, 0x59
MIN_PDU = 4096  # what we send to peers that announce absurdly little
_FIXED = struct.Struct(">H2x16s16s32x")
_ITEM = struct.Struct(">BxH")
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True)
class Offer:
    """A proposed presentation context."""

    identifier: int
    abstract_syntax: str
    transfer_syntaxes: list[str]


@dataclass(frozen=True)
class Identity:
    """User Identity Negotiation (PS3.7 D.3.3.7); type 1 is a name, 2 a name and a passcode."""

    kind: int
    wants_answer: bool
    primary: bytes = field(repr=False)
    secondary: bytes = field(repr=False)


@dataclass
class Proposal:
    """What the peer proposes in its A-ASSOCIATE-RQ.

    `roles`: for a SOP class, whether the peer proposes to be SCU and SCP of it.
    `extended`: for a SOP class, the bytes of its extended negotiation.
    `max_pdu` 0: the peer takes PDUs of any length.
    """

    called: str
    calling: str
    protocol_version: int
    application_context: str = ""
    contexts: list[Offer] = field(default_factory=list)
    max_pdu: int = 16384
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    extended: dict[str, bytes] = field(default_factory=dict)
    identity: Identity | None = None

    @property
    def sop_classes(self) -> set[str]:
        return {offer.abstract_syntax for offer in self.contexts}


def parse(body: bytes) -> Proposal:
    """The body of an A-ASSOCIATE-RQ; raises ProtocolError for whatever cannot be read."""
    try:
        version, called, calling = _FIXED.unpack_from(body)
        proposal = Proposal(_text(called), _text(calling), version)
        for kind, value in _items(body[_FIXED.size :]):
            if kind in _TAKE:
                _TAKE[kind](proposal, value)
    except (struct.error, IndexError):
        raise ProtocolError("A-ASSOCIATE-RQ cut short") from None
    if not proposal.contexts:
        raise ProtocolError("A-ASSOCIATE-RQ without a presentation context")
    return proposal


def _take_application_context(proposal: Proposal, value: bytes) -> None:
    proposal.application_context = _text(value)


def _take_context(proposal: Proposal, value: bytes) -> None:
    """PS3.8 9.3.2.2: numbered by odd numbers, each once."""
    identifier = value[0]
    known = {offer.identifier for offer in proposal.contexts}
    if identifier % 2 == 0 or identifier in known:
        raise ProtocolError(f"presentation context numbered {identifier}")
    items = list(_items(value[4:]))
    abstract = [_text(raw) for kind, raw in items if kind == ABSTRACT_SYNTAX]
    transfer = [_text(raw) for kind, raw in items if kind == TRANSFER_SYNTAX]
    if len(abstract) != 1 or not transfer:
        raise ProtocolError(f"presentation context {identifier} without its syntaxes")
    proposal.contexts.append(Offer(identifier, abstract[0], transfer))


def _take_user_information(proposal: Proposal, value: bytes) -> None:
    for kind, raw in _items(value):
        if kind in _TAKE_USER:
            _TAKE_USER[kind](proposal, raw)


def _take_max_length(proposal: Proposal, value: bytes) -> None:
    (announced,) = struct.unpack(">L", value)
    proposal.max_pdu = max(announced, MIN_PDU) if announced else 0


def _take_roles(proposal: Proposal, value: bytes) -> None:
    sop_class, rest = _counted(value)
    proposal.roles[_text(sop_class)] = (rest[0] == 1, rest[1] == 1)


def _take_extended(proposal: Proposal, value: bytes) -> None:
    sop_class, rest = _counted(value)
    proposal.extended[_text(sop_class)] = rest


def _take_identity(proposal: Proposal, value: bytes) -> None:
    primary, rest = _counted(value[2:])
    secondary, _ = _counted(rest)
    proposal.identity = Identity(value[0], value[1] == 1, primary, secondary)


_TAKE: dict[int, Callable[[Proposal, bytes], None]] = {
    APPLICATION_CONTEXT: _take_application_context,
    PROPOSED_CONTEXT: _take_context,
    USER_INFORMATION: _take_user_information,
}
_TAKE_USER: dict[int, Callable[[Proposal, bytes], None]] = {
    MAX_LENGTH: _take_max_length,
    ROLES: _take_roles,
    EXTENDED: _take_extended,
    IDENTITY: _take_identity,
}


def _items(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and value of each item."""
    position = 0
    while position < len(raw):
        kind, length = _ITEM.unpack_from(raw, position)
        position += _ITEM.size
        if position + length > len(raw):
            raise ProtocolError("item longer than what holds it")
        yield kind, raw[position : position + length]
        position += length


def _counted(raw: bytes) -> tuple[bytes, bytes]:
    """A value with its length before it, and what follows it."""
    (length,) = _LENGTH.unpack_from(raw)
    end = _LENGTH.size + length
    if end > len(raw):
        raise ProtocolError("value longer than its item")
    return raw[_LENGTH.size : end], raw[end:]


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace").strip("\0 ")
