"""PDUs as bytes, for tests that speak to the port without a library in between."""

from collections.abc import Iterable
from typing import Any

from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context


def associate_rq(
    *sop_classes: str, calling: str = "CT1", called: str = "OPENPACS", items: Iterable[Any] = ()
) -> bytes:
    """An A-ASSOCIATE-RQ, encoded by pynetdicom; `items` are more of its user information."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = []
    for number, uid in enumerate(sop_classes):
        context = build_context(uid, ImplicitVRLittleEndian)
        context.context_id = 2 * number + 1
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    implementation.implementation_class_uid = "2.25.1"
    primitive.user_information = [length, implementation, *items]
    encoded: bytes = A_ASSOCIATE_RQ(primitive).encode()
    return encoded
