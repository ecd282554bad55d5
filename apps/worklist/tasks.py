"""What the worklist does in the background."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.worklist.services.explaining import forget_queries


@shared_task
def forget_worklist_queries() -> None:
    """Forget what devices asked longer ago than WORKLIST_QUERIES_DAYS."""
    forget_queries(before=timezone.now() - timedelta(days=settings.WORKLIST_QUERIES_DAYS))
