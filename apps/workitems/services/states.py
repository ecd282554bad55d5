"""Workitems claimed, completed and cancelled (PS3.4 table CC.1.1-2)."""

from django.db import transaction
from django.utils import timezone

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.dates import format_datetime
from apps.dicom.json import JsonDataset
from apps.workitems.attributes import (
    CANCELLED_AT,
    CONTACT_NAME,
    CONTACT_URI,
    PROGRESS,
    REASON,
    REASON_CODE,
    code,
    element,
    missing_for_cancellation,
    missing_for_completion,
    values_of,
)
from apps.workitems.models import Workitem, WorkitemEvent
from apps.workitems.services.events import note_event, receivers, tell_state
from apps.workitems.services.refusals import (
    FinalStateUnmet,
    NobodyToAsk,
    StateRefused,
    TransactionMissing,
    WorkitemInvalid,
)
from apps.workitems.services.workitems import (
    digest_of,
    locked,
    record_workitem,
    require_transaction,
    save,
)

State = Workitem.State
REQUESTING_AE = "00741236"
# DCM, PS3.16 CID 9300: where who asks for the cancellation gives no reason.
NO_REASON = ("110513", "DCM", "Discontinued for unspecified reason")
_ASKED = (REASON, REASON_CODE, CONTACT_URI, CONTACT_NAME)


def change_state(workitem: Workitem, *, state: str, transaction_uid: str, origin: Origin) -> bool:
    """Claim (IN PROGRESS), complete or cancel; False: it is in that final state already.

    Raises TransactionMissing, TransactionWrong, StateRefused, FinalStateUnmet,
    WorkitemInvalid, WorkitemOfExam.
    """
    if state not in State.values:
        raise WorkitemInvalid([f"ProcedureStepState has to be one of {', '.join(State.values)}"])
    if not transaction_uid:
        raise TransactionMissing
    with transaction.atomic():
        workitem = locked(workitem)
        if state == State.SCHEDULED:
            raise StateRefused(workitem.state, state)
        if workitem.state == State.SCHEDULED:
            _claim(workitem, state, transaction_uid)
        else:
            require_transaction(workitem, transaction_uid)
            if workitem.is_final and workitem.state == state:
                return False
            _finish(workitem, state)
        enter(workitem, state, origin=origin)
    return True


def request_cancellation(
    workitem: Workitem, information: JsonDataset, *, requester: str, origin: Origin
) -> bool:
    """Somebody who has not claimed the workitem wants it cancelled (PS3.4 CC.2.2).

    What is scheduled is cancelled; of what is in progress subscribers are told. False: it
    is cancelled already. Raises StateRefused, NobodyToAsk, WorkitemOfExam.
    """
    with transaction.atomic():
        workitem = locked(workitem)
        if workitem.state == State.CANCELED:
            return False
        if workitem.state == State.COMPLETED:
            raise StateRefused(workitem.state, State.CANCELED)
        if workitem.state == State.SCHEDULED:
            _cancel_unclaimed(workitem, information, origin)
        else:
            _pass_on(workitem, information, requester)
            record_workitem(Kind.WORKITEM_CANCEL_ASKED, workitem, origin=origin)
    return True


def enter(workitem: Workitem, state: str, *, origin: Origin) -> None:
    """Write the new state, tell it and journal it, in the caller's transaction."""
    workitem.state = state
    save(workitem, workitem.attributes)
    tell_state(workitem)
    record_workitem(Kind.WORKITEM_STATE, workitem, origin=origin, details={"state": state})


def cancelled(attributes: JsonDataset, progress: JsonDataset) -> JsonDataset:
    """The attributes with what a cancelled workitem says about its end."""
    now = format_datetime(timezone.localtime().replace(microsecond=0))
    item = {CANCELLED_AT: element(CANCELLED_AT, now), **progress}
    return attributes | {PROGRESS: element(PROGRESS, dict(sorted(item.items())))}


def give_reason(value: str, scheme: str, meaning: str) -> JsonDataset:
    """The reason of a cancellation, as an item of the progress information has it."""
    return {REASON_CODE: element(REASON_CODE, code(value, scheme, meaning))}


def _claim(workitem: Workitem, state: str, transaction_uid: str) -> None:
    if state != State.IN_PROGRESS:
        raise StateRefused(workitem.state, state)
    workitem.transaction_digest = digest_of(transaction_uid)


def _finish(workitem: Workitem, state: str) -> None:
    if workitem.is_final or state == State.IN_PROGRESS:
        raise StateRefused(workitem.state, state)
    if state == State.COMPLETED:
        missing = missing_for_completion(workitem.attributes)
    else:
        missing = missing_for_cancellation(workitem.attributes)
    if missing:
        raise FinalStateUnmet(missing)
    if state == State.CANCELED:
        # The time is filled in for whoever has left it out.
        told = values_of(workitem.attributes, PROGRESS)[0]
        workitem.attributes = cancelled(workitem.attributes, told)


def _cancel_unclaimed(workitem: Workitem, information: JsonDataset, origin: Origin) -> None:
    """First IN PROGRESS, then CANCELED, as PS3.4 CC.2.2.3 wants it told."""
    tell_state(workitem, state=State.IN_PROGRESS)
    told = {tag: information[tag] for tag in (REASON, REASON_CODE) if values_of(information, tag)}
    workitem.attributes = cancelled(workitem.attributes, give_reason(*NO_REASON) | told)
    enter(workitem, State.CANCELED, origin=origin)


def _pass_on(workitem: Workitem, information: JsonDataset, requester: str) -> None:
    if not receivers(workitem):
        raise NobodyToAsk
    report = {tag: information[tag] for tag in _ASKED if values_of(information, tag)}
    report[REQUESTING_AE] = element(REQUESTING_AE, requester)
    note_event(workitem, WorkitemEvent.Kind.CANCEL_REQUESTED, report)
