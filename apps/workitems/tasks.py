"""Subscribers of the journal: the workitems of exams follow them; and old events are forgotten."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.audit.models import Event
from apps.workitems import services
from apps.worklist.models import ScheduledStep

BATCH = 200


@shared_task
def show_exam(event_id: int) -> None:
    """Something happened to a step."""
    event = Event.objects.get(pk=event_id)
    if event.subject_type == ScheduledStep._meta.label:
        _show_all(pk=event.subject_id)


@shared_task
def follow_order(event_id: int) -> None:
    """Something happened to an order: its exams that are still to be done say so."""
    accession_number = Event.objects.get(pk=event_id).accession_number
    _show_all(
        requested_procedure__order__accession_number=accession_number,
        status__in=services.OPEN,
    )


@shared_task
def follow_patient(event_id: int) -> None:
    """A patient was updated: the exams that are still to be done say so."""
    patient = Event.objects.get(pk=event_id).patient_id
    _show_all(requested_procedure__order__patient=patient, status__in=services.OPEN)


@shared_task
def show_missing_exams() -> None:
    """Exams that were planned before there were workitems, or whose nudge was lost."""
    for step in services.exams_without_workitem(limit=BATCH):
        services.show_exam(step)


@shared_task
def forget_events() -> None:
    """Forget events that are too old to be told to anybody."""
    services.forget_events(before=timezone.now() - timedelta(hours=settings.OPENPACS_EVENTS_HOURS))


def _show_all(**which: object) -> None:
    for step in ScheduledStep.objects.filter(**which):
        services.show_exam(step)
