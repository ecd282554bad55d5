"""Storage commitment, push model (PS3.4 J.3): asked by N-ACTION, told by N-EVENT-REPORT.

A device asks us and is told here; where we ask a device, it tells us here.
"""

import logging
import time

from django.db import Error as DatabaseError
from django.db import close_old_connections
from pydicom.dataset import Dataset

from apps.dicom.uids import valid_uid
from apps.dimse import identifiers, messages, status
from apps.dimse.association import Association, Pending, Request
from apps.dimse.models import CommitmentRequest
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE
from apps.dimse.services import (
    COMPLETE,
    FAILURES_EXIST,
    ask_for_commitment,
    claim_for_asker,
    note_asker_gone,
    note_not_told,
    note_told,
    report_data_set,
    report_event,
    take_report,
)
from apps.dimse.tasks import nudge, settle_commitment

logger = logging.getLogger(__name__)
REQUEST_COMMITMENT = 1  # action type, PS3.4 J.3.2.1
PATIENCE_SECONDS = 10  # for the answer to a report
NO_ANSWER = "no answer on the association that asked"


def answer_commitment(request: Request) -> None:
    """N-ACTION: kept, then answered; the report follows."""
    if request.command.values.get(messages.ACTION_TYPE) != REQUEST_COMMITMENT:
        raise status.NoSuchActionError("action type")
    transaction, references = _asked(request)
    association = request.association
    row = ask_for_commitment(association.device, transaction, references, origin=association.origin)
    association.pending.append(Pending(row.pk, request.context))
    request.respond(status.SUCCESS)
    nudge(settle_commitment, row.pk)


def report_here(association: Association) -> None:
    """Report on the association that asked, while its peer has nothing else to say."""
    if not association.pending:
        return
    close_old_connections()
    try:
        for pending in list(association.pending):
            _report(association, pending)
    except DatabaseError as error:
        logger.warning("a commitment report waits: database: %s", type(error).__name__)


def take_answer(request: Request) -> None:
    """The peer answers a report of ours."""
    association, command = request.association, request.command
    answered = command.values.get(messages.RESPONDED_ID)
    for pending in list(association.pending):
        if pending.row is None or pending.message_id != answered:
            continue
        association.pending.remove(pending)
        code = command.number(messages.STATUS)
        if code == status.SUCCESS:
            note_told(pending.row)
        else:
            _tell_elsewhere(pending.row, f"the device answered with status 0x{code:04X}")


def report_elsewhere(association: Association) -> None:
    """The association has ended: what it was not told is told on one of ours."""
    if not association.pending:
        return
    close_old_connections()
    try:
        for pending in association.pending:
            if pending.row is not None:
                note_not_told(pending.row, NO_ANSWER, at_once=True)
        note_asker_gone([pending.request_id for pending in association.pending])
    except DatabaseError as error:
        logger.warning("a commitment report waits: database: %s", type(error).__name__)
    for pending in association.pending:
        nudge(settle_commitment, pending.request_id)
    association.pending.clear()


def take_event(request: Request) -> None:
    """N-EVENT-REPORT of a device that we asked: on an association of its own."""
    if request.command.values.get(messages.EVENT_TYPE) not in (COMPLETE, FAILURES_EXIST):
        raise status.NoSuchEventError("event type")
    report = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    take_report(request.association.device, report, origin=request.association.origin)
    request.respond(status.SUCCESS)


def _report(association: Association, pending: Pending) -> None:
    if pending.row is not None:
        if time.monotonic() - pending.since > PATIENCE_SECONDS:
            association.pending.remove(pending)
            _tell_elsewhere(pending.row, NO_ANSWER)
        return
    row = claim_for_asker(pending.request_id)
    if row is None:
        return  # not verified yet, or told on another association meanwhile
    pending.row, pending.since = row, time.monotonic()
    pending.message_id = association.new_message_id()
    values: dict[int, int | str] = {
        messages.COMMAND_FIELD: messages.N_EVENT_REPORT_RQ,
        messages.AFFECTED_CLASS: COMMITMENT,
        messages.MESSAGE_ID: pending.message_id,
        messages.DATA_SET_TYPE: 0,
        messages.AFFECTED_INSTANCE: COMMITMENT_INSTANCE,
        messages.EVENT_TYPE: report_event(row),
    }
    encoded = identifiers.encode(report_data_set(row), pending.context.transfer_syntax)
    association.send(pending.context, values, encoded)


def _tell_elsewhere(row: CommitmentRequest, why: str) -> None:
    note_not_told(row, why, at_once=True)
    nudge(settle_commitment, row.pk)


def _asked(request: Request) -> tuple[str, list[tuple[str, str]]]:
    asked = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    transaction = str(asked.get("TransactionUID", ""))
    references = [_reference(item) for item in asked.get("ReferencedSOPSequence") or []]
    if not transaction or not references or not all(map(all, references)):
        raise status.MissingAttributeError("Transaction UID, Referenced SOP Sequence")
    if not valid_uid(transaction):
        raise status.InvalidValueError("Transaction UID")
    return transaction, references


def _reference(item: Dataset) -> tuple[str, str]:
    return (
        str(item.get("ReferencedSOPClassUID", "")),
        str(item.get("ReferencedSOPInstanceUID", "")),
    )
