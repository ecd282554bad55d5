"""The journal's background work."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from apps.audit import later, services
from apps.audit.models import Event

OVERDUE = timedelta(seconds=5)
ROUNDS, PER_ROUND = 5, 1000  # rows sealed at a time, of what searches may write in a burst


@shared_task
def deliver(event_id: int) -> None:
    services.deliver(event_id)


@shared_task
def deliver_waiting() -> None:
    """Pick up events whose nudge was lost (broker down, process killed)."""
    overdue = Event.objects.filter(delivered_at=None, at__lt=timezone.now() - OVERDUE)
    for event_id in overdue.order_by("id").values_list("pk", flat=True)[:500]:
        services.deliver(event_id)


@shared_task
def write_down_journal() -> None:
    later.write_down()


@shared_task
def seal_journal() -> None:
    """In short transactions, so that writers come in between."""
    for _round in range(ROUNDS):
        if services.seal(limit=PER_ROUND) < PER_ROUND:
            break
