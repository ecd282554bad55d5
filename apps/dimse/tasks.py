"""Work of this door that waits for a peer. The rows are the queue; a task is a nudge."""

import logging
from typing import Any

from celery import Task, shared_task

from apps.dimse.models import CommitmentInquiry, CommitmentRequest, Retrieval
from apps.dimse.services import (
    forget_told,
    run_retrieval,
    send_inquiry,
    tell_request,
    verify_request,
)

logger = logging.getLogger(__name__)
AT_ONCE = 100


@shared_task
def settle_commitment(pk: int) -> None:
    """Verify what a device asked for; tell it, where the association that asked is gone."""
    row = CommitmentRequest.objects.select_related("device").filter(pk=pk).first()
    if row is None:
        return
    row = verify_request(row)
    if not row.asker_connected:
        tell_request(row)


@shared_task
def settle_commitments() -> None:
    """What lost its nudge or its worker, and what a device was away for."""
    away: set[int] = set()  # a device that does not answer is left alone for this round
    for due in CommitmentRequest.objects.due().select_related("device")[:AT_ONCE]:
        row = verify_request(due)
        if row.device_id not in away and not tell_request(row):
            away.add(row.device_id)
    for inquiry in CommitmentInquiry.objects.due().select_related("device")[:AT_ONCE]:
        if inquiry.device_id not in away and not send_inquiry(inquiry):
            away.add(inquiry.device_id)


@shared_task
def ask_for_commitment(pk: int) -> None:
    """Ask a device whether what we sent is safe there."""
    row = CommitmentInquiry.objects.select_related("device").filter(pk=pk).first()
    if row is not None:
        send_inquiry(row)


@shared_task
def retrieve(pk: int) -> None:
    """Fetch a study from another archive."""
    row = Retrieval.objects.select_related("device", "user").filter(pk=pk).first()
    if row is not None:
        run_retrieval(row)


@shared_task
def resume_retrievals() -> None:
    """Retrievals that wait for their turn, lost their worker, or are tried again."""
    for row in Retrieval.objects.due()[:AT_ONCE]:
        nudge(retrieve, row.pk)


@shared_task
def forget_old_commitments() -> None:
    """Requests that were told a month ago."""
    forget_told()


def nudge(task: "Task[Any, Any]", pk: int) -> None:
    """Have a row worked on soon. Without a broker the sweep does it a little later."""
    try:
        task.delay(pk)
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        logger.warning("No broker (%s): %s waits for the sweep", type(error).__name__, task.name)
