"""Association negotiation as the accepting side (PS3.8 9.3.2 to 9.3.4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pynetdicom._globals import DEFAULT_MAX_LENGTH
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext

from apps.dimse.wire import ASSOCIATE_RQ, HEADER, ProtocolError

IMPLEMENTATION_UID = "2.25.305663523887491605014421058460515682920"
IMPLEMENTATION_VERSION = "OPENPACS_0_1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
ACCEPTED, USER_REJECTION, ABSTRACT_UNKNOWN, TRANSFER_UNKNOWN = 0, 1, 3, 4
MIN_PDU = 4096  # what we send to peers that announce absurdly little


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
CONTEXT_NAME_UNKNOWN = Rejection(1, 1, 2, "application context name")
PROTOCOL_UNKNOWN = Rejection(1, 2, 2, "protocol version")
CONGESTION = Rejection(2, 3, 1, "temporary congestion")
LIMIT_EXCEEDED = Rejection(2, 3, 2, "too many associations")


@dataclass(frozen=True)
class Proposal:
    """What the peer proposes in its A-ASSOCIATE-RQ."""

    called: str
    calling: str
    protocol_version: int
    application_context: str
    contexts: list[PresentationContext]
    max_pdu: int
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """An accepted presentation context."""

    identifier: int
    abstract_syntax: str
    transfer_syntax: str


def parse(body: bytes) -> Proposal:
    """The body of an A-ASSOCIATE-RQ; raises ProtocolError for whatever cannot be read."""
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(HEADER.pack(ASSOCIATE_RQ, len(body)) + body)
        primitive = pdu.to_primitive()
        return _proposal(pdu, primitive)
    except (ProtocolError, RecursionError, MemoryError):
        raise ProtocolError("A-ASSOCIATE-RQ cannot be read") from None
    except Exception as error:  # noqa: BLE001 - the codec raises whatever bytes make it raise
        raise ProtocolError(f"A-ASSOCIATE-RQ cannot be read: {type(error).__name__}") from None


def _proposal(pdu: Any, primitive: Any) -> Proposal:
    max_pdu = DEFAULT_MAX_LENGTH
    roles: dict[str, tuple[bool, bool]] = {}
    for item in primitive.user_information:
        if isinstance(item, MaximumLengthNotification):
            max_pdu = item.maximum_length_received
        elif isinstance(item, SCP_SCU_RoleSelectionNegotiation):
            roles[str(item.sop_class_uid)] = (bool(item.scu_role), bool(item.scp_role))
    return Proposal(
        called=primitive.called_ae_title.strip(),
        calling=primitive.calling_ae_title.strip(),
        protocol_version=pdu.protocol_version,
        application_context=str(primitive.application_context_name),
        contexts=list(primitive.presentation_context_definition_list),
        max_pdu=max(max_pdu, MIN_PDU) if max_pdu else 0,
        roles=roles,
    )


def choose(
    contexts: Iterable[PresentationContext],
    *,
    accepts: Callable[[str], int],
    transfer_syntax: Callable[[str, list[str]], str | None],
) -> list[tuple[Context, int]]:
    """Our answer to each proposed context: the context and its result (0: accepted).

    `accepts(abstract syntax)` gives the result; `transfer_syntax(abstract syntax, proposed)`
    the one we take, or None.
    """
    answers = []
    for proposed in contexts:
        abstract = str(proposed.abstract_syntax)
        offered = [str(uid) for uid in proposed.transfer_syntax]
        result = accepts(abstract)
        taken = transfer_syntax(abstract, offered) if result == ACCEPTED else None
        if result == ACCEPTED and taken is None:
            result = TRANSFER_UNKNOWN
        identifier = int(proposed.context_id or 0)
        fallback = offered[0] if offered else ""
        answers.append((Context(identifier, abstract, taken or fallback), result))
    return answers


def accept_pdu(proposal: Proposal, answers: list[tuple[Context, int]], *, max_pdu: int) -> bytes:
    """The A-ASSOCIATE-AC."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.calling_ae_title = proposal.calling
    primitive.called_ae_title = proposal.called
    primitive.result = 0x00
    primitive.presentation_context_definition_results_list = [
        _result(context, result) for context, result in answers
    ]
    primitive.user_information = _user_information(proposal, answers, max_pdu)
    encoded: bytes = A_ASSOCIATE_AC(primitive).encode()
    return encoded


def reject_pdu(rejection: Rejection) -> bytes:
    """The A-ASSOCIATE-RJ."""
    pdu = A_ASSOCIATE_RJ()
    pdu.result, pdu.source = rejection.result, rejection.source
    pdu.reason_diagnostic = rejection.reason
    encoded: bytes = pdu.encode()
    return encoded


def _result(answer: Context, result: int) -> PresentationContext:
    context = PresentationContext()
    context.context_id = answer.identifier
    context.abstract_syntax = answer.abstract_syntax
    context.transfer_syntax = [answer.transfer_syntax]
    context.result = result
    return context


def _user_information(
    proposal: Proposal, answers: list[tuple[Context, int]], max_pdu: int
) -> list[Any]:
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    accepted = {context.abstract_syntax for context, result in answers if result == ACCEPTED}
    roles = [_role(uid, proposal.roles[uid]) for uid in sorted(proposal.roles.keys() & accepted)]
    return [length, implementation, version, *roles]


def _role(abstract_syntax: str, proposed: tuple[bool, bool]) -> SCP_SCU_RoleSelectionNegotiation:
    # We are the SCP here: the peer may be the SCU, not the SCP (PS3.7 D.3.3.4).
    item = SCP_SCU_RoleSelectionNegotiation()
    item.sop_class_uid = abstract_syntax
    item.scu_role, item.scp_role = proposed[0], False
    return item
