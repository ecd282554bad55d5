"""Who looked at a study, and who took a file of it along."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services.recording import record_of_study

ONCE_IN = timedelta(minutes=10)


def note_viewing(study: Study, *, origin: Origin) -> None:
    """Record that a study was opened, once per user, study and ten minutes."""
    _note_once(Kind.STUDY_VIEWED, study, origin, unless=[Kind.STUDY_VIEWED])


def note_prefetching(study: Study, *, origin: Origin) -> None:
    """Record that a study was fetched for a user who has not opened it, as often as above."""
    known = [Kind.STUDY_VIEWED, Kind.STUDY_PREFETCHED]
    _note_once(Kind.STUDY_PREFETCHED, study, origin, unless=known)


def _note_once(kind: Kind, study: Study, origin: Origin, *, unless: list[Kind]) -> None:
    with transaction.atomic():
        # Locked: a viewer asks for all series at the same time.
        row = Study.everything.select_for_update().only("pk").get(pk=study.pk)
        if _noted(row, origin, unless):
            return
        record_of_study(
            kind,
            study,
            origin=origin,
        )


def note_taking(instance: Instance, *, origin: Origin) -> None:
    """Record that the file of an instance was downloaded."""
    study = instance.series.study
    record_of_study(
        Kind.INSTANCE_TAKEN,
        study,
        instance,
        origin=origin,
        details={"sop_instance_uid": instance.sop_instance_uid},
    )


def _noted(study: Study, origin: Origin, kinds: list[Kind]) -> bool:
    return Event.objects.filter(
        kind__in=kinds,
        subject_type=study._meta.label,
        subject_id=str(study.pk),
        user=origin.user,
        at__gte=timezone.now() - ONCE_IN,
    ).exists()
