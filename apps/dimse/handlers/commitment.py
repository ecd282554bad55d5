"""Storage commitment, push model (PS3.4 J.3): asked by N-ACTION, told by N-EVENT-REPORT."""

import time

from pydicom.dataset import Dataset

from apps.dimse import identifiers, messages, status
from apps.dimse.association import Association, Pending, Request
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE
from apps.dimse.services import commit_storage, report_data_set, report_event
from apps.dimse.tasks import report_commitment

REQUEST_COMMITMENT = 1  # action type, PS3.4 J.3.2.1
PATIENCE_SECONDS = 1  # a peer that is still there and silent waits for its report here


def ask_for_commitment(request: Request) -> None:
    """N-ACTION: answered at once; the report follows."""
    if request.command.values.get(messages.ACTION_TYPE) != REQUEST_COMMITMENT:
        raise status.NoSuchActionError("action type")
    asked = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    transaction = str(asked.get("TransactionUID", ""))
    references = [_reference(item) for item in asked.get("ReferencedSOPSequence") or []]
    if not transaction or not references:
        raise status.MissingAttributeError("Transaction UID, Referenced SOP Sequence")
    request.respond(status.SUCCESS)
    association = request.association
    commitment = commit_storage(transaction, references, origin=association.origin)
    association.pending.append(Pending(commitment, request.context))


def report_here(association: Association) -> None:
    """Report on the association that asked, once its peer has nothing else to say."""
    while association.pending:
        pending = association.pending[0]
        if time.monotonic() - pending.since < PATIENCE_SECONDS:
            return
        association.pending.pop(0)
        values: dict[int, int | str] = {
            messages.COMMAND_FIELD: messages.N_EVENT_REPORT_RQ,
            messages.AFFECTED_CLASS: COMMITMENT,
            messages.MESSAGE_ID: association.new_message_id(),
            messages.DATA_SET_TYPE: 0,
            messages.AFFECTED_INSTANCE: COMMITMENT_INSTANCE,
            messages.EVENT_TYPE: report_event(pending.commitment),
        }
        report = report_data_set(pending.commitment)
        encoded = identifiers.encode(report, pending.context.transfer_syntax)
        association.send(pending.context, values, encoded)


def report_elsewhere(association: Association) -> None:
    """The peer has gone: report on an association of ours to its address."""
    for pending in association.pending:
        commitment = pending.commitment
        report_commitment.delay(
            association.device.pk,
            commitment.transaction_uid,
            [list(one) for one in commitment.committed],
            [list(one) for one in commitment.failed],
        )
    association.pending.clear()


def _reference(item: Dataset) -> tuple[str, str]:
    return (
        str(item.get("ReferencedSOPClassUID", "")),
        str(item.get("ReferencedSOPInstanceUID", "")),
    )
