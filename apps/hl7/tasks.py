"""Background work of this door: results go out, what waits is tried again."""

from celery import shared_task

from apps.audit.models import Event
from apps.hl7.sending import send_due
from apps.hl7.services.outbox import queue_results


@shared_task
def send_result(event_id: int) -> None:
    """A report was signed: tell every partner that receives results."""
    queue_results(Event.objects.get(pk=event_id))
    send_due()


@shared_task
def send_waiting() -> None:
    """Try what waits: new messages whose sender died, and those due again."""
    send_due()
