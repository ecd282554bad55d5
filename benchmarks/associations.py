"""Associations that are opened and then say nothing."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from benchmarks.clients import TITLE, Server
from benchmarks.processes import BenchmarkError

ANSWER_SECONDS = 10.0
ASSOCIATE_AC = 0x02  # PS3.8 9.3.3


@contextmanager
def opened(server: Server, count: int) -> Iterator[None]:
    """So many accepted associations for CT images; cut when done."""
    request = _associate_rq(server.title)
    with ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS)
            )
            connection.sendall(request)
            if (kind := _answer(connection)) != ASSOCIATE_AC:
                raise BenchmarkError(
                    f"{server.title} answered association {number + 1} with PDU type {kind}"
                )
        yield


def _answer(connection: socket.socket) -> int | None:
    """The type of the next PDU; None where the peer hangs up or says nothing."""
    try:
        head = _exactly(connection, 6)
        kind, _, length = struct.unpack(">BBL", head)
        _exactly(connection, length)
    except (OSError, EOFError):
        return None
    return int(kind)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _associate_rq(called: str) -> bytes:
    context = build_context(CTImageStorage, ExplicitVRLittleEndian)
    context.context_id = 1
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 131072
    implementation.implementation_class_uid = "2.25.1"
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = TITLE, called
    primitive.presentation_context_definition_list = [context]
    primitive.user_information = [length, implementation]
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded
