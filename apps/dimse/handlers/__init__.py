"""One function per DIMSE service: translate in, call, translate out."""

from collections.abc import Callable

from apps.dimse import messages, offers
from apps.dimse.association import Request
from apps.dimse.handlers.commitment import ask_for_commitment
from apps.dimse.handlers.steps import create_step, get_step, set_step
from apps.dimse.handlers.storage import store
from apps.dimse.handlers.worklist import find
from apps.dimse.status import NotAuthorizedError, UnrecognizedOperationError

Handler = Callable[[Request], None]


def echo(request: Request) -> None:
    """C-ECHO (PS3.4 A.4)."""
    request.respond(0)


_BY_OPERATION: dict[int, tuple[Handler, Callable[[str], bool]]] = {
    messages.C_ECHO_RQ: (echo, lambda uid: uid == offers.VERIFICATION),
    messages.C_STORE_RQ: (store, offers.is_storage),
    messages.C_FIND_RQ: (find, lambda uid: uid == offers.WORKLIST),
    messages.N_CREATE_RQ: (create_step, lambda uid: uid == offers.MPPS),
    messages.N_SET_RQ: (set_step, lambda uid: uid == offers.MPPS),
    messages.N_GET_RQ: (get_step, lambda uid: uid in {offers.MPPS, offers.MPPS_RETRIEVE}),
    messages.N_ACTION_RQ: (ask_for_commitment, lambda uid: uid == offers.COMMITMENT),
}
_NOBODY: tuple[Handler, Callable[[str], bool]] = (echo, lambda _uid: False)


def handler_for(request: Request) -> Handler:
    """Who answers; raises UnrecognizedOperationError, NotAuthorizedError."""
    abstract_syntax = request.context.abstract_syntax
    handler, fits = _BY_OPERATION.get(request.command.field, _NOBODY)
    if not fits(abstract_syntax):
        raise UnrecognizedOperationError
    if not offers.allowed(request.association.device, abstract_syntax):
        raise NotAuthorizedError
    return handler
