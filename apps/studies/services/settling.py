"""A study is complete when nothing has come for it for a while."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Study
from apps.studies.services.matching import match_automatically
from apps.studies.services.recording import record_of_study


def settle_study(study: Study, *, origin: Origin) -> bool:
    """Make a quiet study available; False if it is not quiet any more.

    STUDY_COMPLETE is recorded once, STUDY_EXTENDED each time that images came late. A study
    that had found no order is looked at again: it may have been placed in the meantime.
    """
    quiet_since = timezone.now() - timedelta(seconds=settings.OPENPACS_STUDY_QUIET_SECONDS)
    with transaction.atomic():
        row = Study.everything.select_for_update().get(pk=study.pk)
        if row.status != Study.Status.RECEIVING or row.last_instance_at > quiet_since:
            return False
        row.status = Study.Status.AVAILABLE
        row.save(update_fields=["status"])
        if row.match == Study.Match.UNMATCHED:
            match_automatically(row, origin=origin)
        record_of_study(
            Kind.STUDY_EXTENDED if _complete_before(row) else Kind.STUDY_COMPLETE,
            row,
            origin=origin,
            details={"instances": row.instance_count},
        )
    return True


def _complete_before(study: Study) -> bool:
    return Event.objects.filter(
        subject_type=study._meta.label, subject_id=str(study.pk), kind=Kind.STUDY_COMPLETE
    ).exists()
