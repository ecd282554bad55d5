"""Background work of routing: rules are asked, what waits is sent."""

from celery import shared_task

from apps.audit.models import Event
from apps.routing import services
from apps.routing.sending import send_due
from apps.routing.services.working import forget_old_answers


@shared_task
def route_study(event_id: int) -> None:
    """A study is complete: send it where the rules say."""
    services.route_study(Event.objects.get(pk=event_id))


@shared_task
def tell_availability(event_id: int) -> None:
    """A study is complete: tell the devices that want to know."""
    services.tell_availability(Event.objects.get(pk=event_id))


@shared_task
def send_waiting() -> None:
    """Send what is due: new transfers, those due again, those whose worker died."""
    send_due()


@shared_task
def forget_answers() -> None:
    """Keep the table of single images short."""
    forget_old_answers()
