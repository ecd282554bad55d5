"""Associations that we open to a device, spoken by our own upper layer (PS3.8 9.3)."""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.utils.translation import gettext
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from apps.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from apps.dimse import negotiation, tls, wire
from apps.dimse.association import Association
from apps.dimse.limits import DEFAULT_LIMITS, Limits
from apps.dimse.negotiation import Context
from apps.dimse.secure import HandshakeError, SecureSocket
from apps.dimse.services.calling import (
    CONNECT_SECONDS,
    CalledDeviceFailed,
    DeviceWithoutAddress,
)
from apps.dimse.wire import HEADER, Wire
from apps.worklist.models import Device

MOST_CONTEXTS = 128  # odd numbers of one byte (PS3.8 9.3.2.2)
MIN_PDU = 4096  # what we send to peers that announce absurdly little
HANDSHAKE_SECONDS = 10
Connection = socket.socket | SecureSocket
# SOP class and the transfer syntaxes of one presentation context.
Wanted = tuple[str, Sequence[str]]


@contextmanager
def requested(
    device: Device, wanted: Sequence[Wanted], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Association]:
    """An association of ours, released at the end; raises CalledDeviceFailed.

    After an exception it is aborted instead. What the peer accepted is in its `contexts`,
    which may be none.
    """
    if not device.host:
        raise DeviceWithoutAddress
    connection = _connect(device)
    try:
        association = _negotiate(connection, device, wanted, limits)
        try:
            yield association
        except BaseException:
            with contextlib.suppress(wire.PeerGoneError):
                association.wire.send(wire.abort(source=wire.SERVICE_USER, reason=0))
            raise
        _release(association.wire)
    finally:
        connection.close()


def _connect(device: Device) -> Connection:
    try:
        connection = socket.create_connection((device.host, device.port), CONNECT_SECONDS)
    except OSError:
        raise _failed(device, gettext("Nothing answers at %(where)s.")) from None
    return _secured(connection, device) if device.tls else connection


def _secured(connection: socket.socket, device: Device) -> Connection:
    secure: SecureSocket | None = None
    try:
        context = tls.client_context()
        secure = SecureSocket(connection, context, server_side=False, host=device.host)
        secure.handshake(HANDSHAKE_SECONDS)
        if not tls.is_pinned(device, secure.certificate()):
            raise HandshakeError(gettext("it shows another certificate than the one expected"))
    except (OSError, tls.TLSSettingsError) as error:
        (secure or connection).close()
        message = gettext("No TLS with the device at %(where)s: %(why)s.")
        raise _failed(device, message, why=str(error)) from None
    return secure


def _negotiate(
    connection: Connection, device: Device, wanted: Sequence[Wanted], limits: Limits
) -> Association:
    link = Wire(cast("socket.socket", connection), limits)  # a secure one behaves as one
    try:
        link.send(_associate_rq(device, wanted, limits.max_pdu))
        kind, body = link.read_associate_answer()
        if kind != wire.ASSOCIATE_AC:
            raise _failed(device, _why_not(kind, body))
        contexts, max_pdu = _accepted(body, wanted)
    except (wire.PeerGoneError, wire.ProtocolError) as error:
        message = gettext("The device at %(where)s does not answer as a DICOM device: %(why)s")
        raise _failed(device, message, why=str(error)) from None
    return Association(link, device=device, address=device.host, contexts=contexts, max_pdu=max_pdu)


def _associate_rq(device: Device, wanted: Sequence[Wanted], max_pdu: int) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = negotiation.APPLICATION_CONTEXT
    primitive.calling_ae_title = settings.OPENPACS_AE_TITLE
    primitive.called_ae_title = device.ae_title
    contexts = [build_context(abstract, list(syntaxes)) for abstract, syntaxes in wanted]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = max_pdu
    implementation.implementation_class_uid = IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    primitive.user_information = [length, implementation, version]
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded


def _accepted(body: bytes, wanted: Sequence[Wanted]) -> tuple[dict[int, Context], int]:
    """The contexts of an A-ASSOCIATE-AC, and the PDU length it announces (0: any)."""
    try:
        pdu = A_ASSOCIATE_AC()
        pdu.decode(HEADER.pack(wire.ASSOCIATE_AC, len(body)) + body)
        primitive = pdu.to_primitive()
        contexts = [_context(one, wanted) for one in _results(primitive)]
        max_pdu = int(primitive.maximum_length_received or 0)
    except Exception as error:  # noqa: BLE001 - the codec raises whatever bytes make it raise
        raise wire.ProtocolError(f"A-ASSOCIATE-AC: {type(error).__name__}") from None
    return {one.identifier: one for one in contexts}, max(max_pdu, MIN_PDU) if max_pdu else 0


def _results(primitive: Any) -> list[Any]:
    answered = primitive.presentation_context_definition_results_list
    return [one for one in answered if one.result == negotiation.ACCEPTED]


def _context(answered: Any, wanted: Sequence[Wanted]) -> Context:
    """An accepted context; raises ValueError where it was not proposed so."""
    abstract, proposed = wanted[(answered.context_id - 1) // 2]
    taken = str(answered.transfer_syntax[0])
    if taken not in proposed:
        raise ValueError("a transfer syntax that was not proposed")
    return Context(answered.context_id, abstract, taken, scu_role=False, scp_role=True)


def _why_not(kind: int, body: bytes) -> str:
    if kind == wire.ABORT:
        return gettext("The device at %(where)s aborts the association.")
    result, source, reason = body[1:4]
    if (source, reason) == (1, 3):
        return gettext("The device at %(where)s does not know our AE title %(ours)s.")
    if (source, reason) == (1, 7):
        return gettext("The device at %(where)s has another AE title than %(title)s.")
    if result == 2:
        return gettext("The device at %(where)s is busy at the moment.")
    return gettext("The device at %(where)s rejects the association.")


def _failed(device: Device, message: str, why: str = "") -> CalledDeviceFailed:
    words = {
        "where": f"{device.host}:{device.port}",
        "ours": settings.OPENPACS_AE_TITLE,
        "title": device.ae_title,
        "why": why,
    }
    return CalledDeviceFailed(message % words)


def _release(link: Wire) -> None:
    """All is answered: a peer that does not take leave in order changes nothing."""
    with contextlib.suppress(wire.PeerGoneError, wire.ProtocolError):
        link.send(wire.release_rq())
        link.read(idle=True)
