"""Work of this door that waits for a peer. The rows are the queue; a task is a nudge."""

import logging
from typing import Any

from celery import Task, shared_task

from apps.dimse.models import CommitmentRequest
from apps.dimse.services import forget_told, tell_request, verify_request

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
    """The requests whose nudge was lost, whose worker died, whose device was away."""
    for row in CommitmentRequest.objects.due().select_related("device")[:AT_ONCE]:
        tell_request(verify_request(row))


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
