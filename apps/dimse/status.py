"""The one table from what went wrong to the status that tells the peer (PS3.7 annex C)."""

from dataclasses import dataclass

from django.db import Error as DatabaseError

from apps.dicom.keys import BadKeyError
from apps.dimse.identifiers import UnreadableError
from apps.dimse.services.commitment import TransactionUidInUse
from apps.dimse.services.inquiry import TransactionUnknown
from apps.studies.patience import TooMuchAsked
from apps.worklist.services.performed import (
    DuplicatePerformedStep,
    PerformedStatusInvalid,
    PerformedStepFinal,
)

SUCCESS = 0x0000
PENDING = 0xFF00
OPTIONAL_ATTRIBUTES = 0x0001  # some that were asked for are not there (PS3.4 F.8.2.1.3)
PENDING_OPEN = 0xFF01  # some optional keys are not supported (PS3.4 C.4.1.1.4)
CANCELLED = 0xFE00
COERCED = 0xB000  # stored, and shown otherwise than sent (PS3.4 B.2.3)
SUBOPERATIONS_WARNED = 0xB000  # one or more failed, or ended with a warning
SUBOPERATIONS_FAILED = 0xA702  # unable to perform sub-operations
OUT_OF_RESOURCES = 0xA700
PROCESSING_FAILURE = 0x0110
NOT_AUTHORIZED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211
DUPLICATE_TRANSACTION = 0x0131  # Error ID as the Failure Reason of PS3.3 C.14-1
MPPS_FINAL = 0xA710  # Error ID (0000,0903) beside 0x0110, PS3.4 table F.7.2-2


class MismatchError(ValueError):
    """The data set is not what the command announces."""


class InvalidInstanceError(ValueError):
    """The SOP Instance UID is not one."""


class InvalidValueError(ValueError):
    """An attribute has a value that it may not have."""


class MissingAttributeError(ValueError):
    """An attribute that is required is not there."""


class MissingValueError(ValueError):
    """An attribute that has to have a value has none."""


class NoSuchInstanceError(LookupError):
    """There is no such SOP Instance."""


class NoSuchActionError(ValueError):
    """This action type does not exist."""


class NoSuchEventError(ValueError):
    """This event type does not exist."""


class DestinationUnknownError(LookupError):
    """The Move Destination is no device that may be sent images."""


class NotAuthorizedError(Exception):
    """The device may not use this service."""


class UnrecognizedOperationError(Exception):
    """This SOP class has no such operation."""


@dataclass(frozen=True)
class Refusal:
    """The status of a C- service, that of an N- service, and an Error ID where there is one."""

    composite: int
    normalized: int
    error_id: int = 0


TABLE: dict[type[Exception], Refusal] = {
    OSError: Refusal(0xA700, PROCESSING_FAILURE),
    DatabaseError: Refusal(0xA700, PROCESSING_FAILURE),
    UnreadableError: Refusal(0xC000, PROCESSING_FAILURE),
    MismatchError: Refusal(0xA900, PROCESSING_FAILURE),
    BadKeyError: Refusal(0xA900, 0x0106),
    TooMuchAsked: Refusal(0xA700, PROCESSING_FAILURE),
    InvalidInstanceError: Refusal(0x0117, 0x0117),
    InvalidValueError: Refusal(0xA900, 0x0106),
    MissingAttributeError: Refusal(0xA900, 0x0120),
    MissingValueError: Refusal(0xA900, 0x0121),
    NoSuchInstanceError: Refusal(0xC000, 0x0112),
    DestinationUnknownError: Refusal(0xA801, PROCESSING_FAILURE),
    NoSuchActionError: Refusal(0xC000, 0x0123),
    NoSuchEventError: Refusal(0xC000, 0x0113),
    NotAuthorizedError: Refusal(NOT_AUTHORIZED, NOT_AUTHORIZED),
    UnrecognizedOperationError: Refusal(UNRECOGNIZED_OPERATION, UNRECOGNIZED_OPERATION),
    DuplicatePerformedStep: Refusal(0x0111, 0x0111),
    TransactionUnknown: Refusal(0xC000, 0x0115),
    TransactionUidInUse: Refusal(0xC000, PROCESSING_FAILURE, DUPLICATE_TRANSACTION),
    PerformedStatusInvalid: Refusal(0x0106, 0x0106),
    PerformedStepFinal: Refusal(PROCESSING_FAILURE, PROCESSING_FAILURE, MPPS_FINAL),
}
UNEXPECTED = Refusal(0xC001, PROCESSING_FAILURE)  # ours, not the peer's fault


def refusal_of(error: Exception) -> Refusal:
    """The refusal of an exception, by its nearest class; UNEXPECTED for one not foreseen."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return UNEXPECTED
