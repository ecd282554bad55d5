"""Subscribers of the journal: an exam that can be read gets its row on the reading list."""

import logging

from celery import shared_task

from apps.audit.models import Event
from apps.audit.services import SYSTEM
from apps.reports import services

logger = logging.getLogger(__name__)


@shared_task
def prepare_report(event_id: int) -> None:
    """A study was matched: its orders can be read."""
    _prepare(event_id)


@shared_task
def prepare_report_for_step(event_id: int) -> None:
    """A step was completed: its order can be read."""
    _prepare(event_id)


def _prepare(event_id: int) -> None:
    for order in services.orders_to_read(Event.objects.get(pk=event_id)):
        try:
            services.prepare_report(order, origin=SYSTEM)
        except services.NothingToRead:
            logger.warning("order %s was cancelled: no report prepared", order.pk)
