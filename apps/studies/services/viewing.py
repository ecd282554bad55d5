"""Who looked at a study, and who took a file of it along."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from apps.studies.models import Instance, Study

ONCE_IN = timedelta(minutes=10)


def note_viewing(study: Study, *, origin: Origin) -> None:
    """Record that a study was opened, once per user, study and ten minutes."""
    with transaction.atomic():
        # Locked: a viewer asks for all series at the same time.
        row = Study.everything.select_for_update().only("pk").get(pk=study.pk)
        if _noted(row, origin):
            return
        record(
            Kind.STUDY_VIEWED,
            study,
            origin=origin,
            patient_id=study.patient_id,
            accession_number=study.accession_number,
            study_instance_uid=study.study_instance_uid,
        )


def note_taking(instance: Instance, *, origin: Origin) -> None:
    """Record that the file of an instance was downloaded."""
    study = instance.series.study
    record(
        Kind.INSTANCE_TAKEN,
        instance,
        origin=origin,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_instance_uid=study.study_instance_uid,
        details={"sop_instance_uid": instance.sop_instance_uid},
    )


def _noted(study: Study, origin: Origin) -> bool:
    return Event.objects.filter(
        kind=Kind.STUDY_VIEWED,
        subject_type=study._meta.label,
        subject_id=str(study.pk),
        user=origin.user,
        at__gte=timezone.now() - ONCE_IN,
    ).exists()
