"""A subscriber that remembers what it was started with."""

from celery import shared_task

remembered: list[int] = []


@shared_task
def remember(event_id: int) -> None:
    remembered.append(event_id)
