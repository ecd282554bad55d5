"""One function per DIMSE service: translate in, call, translate out."""

from collections.abc import Callable

from apps.dimse import messages, offers
from apps.dimse.association import Request
from apps.dimse.handlers.commitment import answer_commitment, take_event
from apps.dimse.handlers.query import find_studies
from apps.dimse.handlers.retrieve import get_studies, move_studies
from apps.dimse.handlers.steps import create_step, get_step, set_step
from apps.dimse.handlers.storage import store
from apps.dimse.handlers.worklist import find_steps
from apps.dimse.status import NotAuthorizedError, UnrecognizedOperationError

Handler = Callable[[Request], None]


def echo(request: Request) -> None:
    """C-ECHO (PS3.4 A.4)."""
    request.respond(0)


BY_SERVICE: dict[tuple[int, str], Handler] = {
    (messages.C_ECHO_RQ, offers.VERIFICATION): echo,
    (messages.C_FIND_RQ, offers.WORKLIST): find_steps,
    (messages.C_FIND_RQ, offers.PATIENT_FIND): find_studies,
    (messages.C_FIND_RQ, offers.STUDY_FIND): find_studies,
    (messages.C_MOVE_RQ, offers.PATIENT_MOVE): move_studies,
    (messages.C_MOVE_RQ, offers.STUDY_MOVE): move_studies,
    (messages.C_GET_RQ, offers.PATIENT_GET): get_studies,
    (messages.C_GET_RQ, offers.STUDY_GET): get_studies,
    (messages.N_CREATE_RQ, offers.MPPS): create_step,
    (messages.N_SET_RQ, offers.MPPS): set_step,
    (messages.N_GET_RQ, offers.MPPS): get_step,
    (messages.N_GET_RQ, offers.MPPS_RETRIEVE): get_step,
    (messages.N_ACTION_RQ, offers.COMMITMENT): answer_commitment,
    (messages.N_EVENT_REPORT_RQ, offers.COMMITMENT): take_event,
}


def handler_for(request: Request) -> Handler:
    """Who answers; raises UnrecognizedOperationError, NotAuthorizedError."""
    device, abstract_syntax = request.association.device, request.context.abstract_syntax
    operation = request.command.field
    handler = BY_SERVICE.get((operation, abstract_syntax))
    if operation == messages.C_STORE_RQ and offers.is_storage(device, abstract_syntax):
        handler = store
    if handler is None:
        raise UnrecognizedOperationError
    # Who reports to us was asked by us: the right of an archive, not that of a modality.
    reports = operation == messages.N_EVENT_REPORT_RQ
    if not (device.may_commit if reports else offers.allowed(device, abstract_syntax)):
        raise NotAuthorizedError
    return handler
