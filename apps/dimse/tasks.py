"""Work of this door that waits for a peer."""

from celery import Task, shared_task

from apps.dimse.association import Commitment
from apps.dimse.services import CalledDeviceFailed, send_commitment
from apps.worklist.models import Device

RETRY_SECONDS = (5, 30, 120, 600, 1800, 3600, 3600)


@shared_task(bind=True, max_retries=len(RETRY_SECONDS))
def report_commitment(
    self: "Task[..., None]",
    device_id: int,
    transaction_uid: str,
    committed: list[list[str]],
    failed: list[list[str | int]],
) -> None:
    """N-EVENT-REPORT on a new association, again and again while the device is away."""
    commitment = Commitment(
        transaction_uid,
        [(uid[0], uid[1]) for uid in committed],
        [(str(row[0]), str(row[1]), int(row[2])) for row in failed],
    )
    try:
        send_commitment(Device.objects.get(pk=device_id), commitment)
    except CalledDeviceFailed as error:
        if self.request.retries < len(RETRY_SECONDS) and not self.request.is_eager:
            raise self.retry(countdown=RETRY_SECONDS[self.request.retries], exc=error) from None
