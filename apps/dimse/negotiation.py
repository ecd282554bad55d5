"""Our answers to a proposed association (PS3.8 9.3.3 and 9.3.4)."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from apps.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from apps.dimse import proposals
from apps.dimse.proposals import Proposal
from apps.dimse.wire import ASSOCIATE_AC, ASSOCIATE_RJ, HEADER

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION = 1
ACCEPTED, USER_REJECTION, ABSTRACT_UNKNOWN, TRANSFER_UNKNOWN = 0, 1, 3, 4
_FIXED = struct.Struct(">HH16s16s32x")
_ITEM = struct.Struct(">BxH")
_CONTEXT = struct.Struct(">BxBx")


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21): result, source, reason; `text` is for the log."""

    result: int
    source: int
    reason: int
    text: str


CALLED_AE_UNKNOWN = Rejection(1, 1, 7, "called AE title is not ours")
CALLING_AE_UNKNOWN = Rejection(1, 1, 3, "calling AE title is not a known device")
ADDRESS_UNKNOWN = Rejection(1, 1, 3, "the device calls from another address than its own")
NOT_ENCRYPTED = Rejection(1, 1, 1, "the device has to call over TLS")
CERTIFICATE_UNKNOWN = Rejection(1, 1, 1, "the device has to show its own certificate")
USER_UNKNOWN = Rejection(1, 2, 1, "user name or passcode of the device")
CONTEXT_NAME_UNKNOWN = Rejection(1, 1, 2, "application context name")
PROTOCOL_UNKNOWN = Rejection(1, 2, 2, "protocol version")
CONGESTION = Rejection(2, 3, 1, "temporary congestion")
DISK_FULL = Rejection(2, 3, 1, "no room for images")
LIMIT_EXCEEDED = Rejection(2, 3, 2, "too many associations")


@dataclass(frozen=True)
class Context:
    """An accepted presentation context.

    `scu_role`, `scp_role`: what the peer is in it. It is the SCP of storage classes where it
    gets images by C-GET (PS3.4 C.4.3.1.4), of storage commitment where it reports to us.
    """

    identifier: int
    abstract_syntax: str
    transfer_syntax: str
    scu_role: bool = True
    scp_role: bool = False


@dataclass(frozen=True)
class Answer:
    """Our answer to one proposed context; `result` as in PS3.8 table 9-18, 0: accepted."""

    context: Context
    result: int


def accept_pdu(
    proposal: Proposal,
    answers: Iterable[Answer],
    *,
    extended: dict[str, bytes],
    identified: bool,
    max_pdu: int,
) -> bytes:
    """The A-ASSOCIATE-AC; `identified`: the user's identity has been looked at."""
    answers = list(answers)
    fixed = _FIXED.pack(PROTOCOL_VERSION, 0, _title(proposal.called), _title(proposal.calling))
    body = [fixed, _item(proposals.APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode())]
    body += [_answer(one) for one in answers]
    information = _user_information(proposal, answers, extended, max_pdu)
    if identified and proposal.identity is not None and proposal.identity.wants_answer:
        # Nothing to say but that the user is welcome (PS3.7 D.3.3.7.2).
        information.append(_item(proposals.IDENTITY_ANSWER, _counted(b"")))
    body.append(_item(proposals.USER_INFORMATION, b"".join(information)))
    encoded = b"".join(body)
    return HEADER.pack(ASSOCIATE_AC, len(encoded)) + encoded


def reject_pdu(rejection: Rejection) -> bytes:
    """The A-ASSOCIATE-RJ."""
    body = bytes((0, rejection.result, rejection.source, rejection.reason))
    return HEADER.pack(ASSOCIATE_RJ, len(body)) + body


def _answer(answer: Answer) -> bytes:
    context = answer.context
    syntax = _item(proposals.TRANSFER_SYNTAX, context.transfer_syntax.encode("ascii", "replace"))
    head = _CONTEXT.pack(context.identifier, answer.result)
    return _item(proposals.ANSWERED_CONTEXT, head + syntax)


def _user_information(
    proposal: Proposal, answers: list[Answer], extended: dict[str, bytes], max_pdu: int
) -> list[bytes]:
    items = [
        _item(proposals.MAX_LENGTH, struct.pack(">L", max_pdu)),
        _item(proposals.IMPLEMENTATION_CLASS, IMPLEMENTATION_UID.encode()),
        *_roles(proposal, answers),
        _item(proposals.IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION.encode()),
    ]
    for sop_class, settled in extended.items():
        items.append(_item(proposals.EXTENDED, _counted(sop_class.encode()) + settled))
    return items


def _roles(proposal: Proposal, answers: list[Answer]) -> list[bytes]:
    """PS3.7 D.3.3.4: what we take of each role that was proposed."""
    settled = {
        answer.context.abstract_syntax: (answer.context.scu_role, answer.context.scp_role)
        for answer in answers
        if answer.result == ACCEPTED and answer.context.abstract_syntax in proposal.roles
    }
    return [
        _item(proposals.ROLES, _counted(sop_class.encode()) + bytes(roles))
        for sop_class, roles in settled.items()
    ]


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _counted(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _title(title: str) -> bytes:
    return title.encode("ascii", "replace").ljust(16)
