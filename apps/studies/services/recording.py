"""Rows of the journal about studies and what belongs to them."""

from typing import Any

from django.db import models

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from apps.studies.models import Study


def record_of_study(
    kind: Kind,
    study: Study,
    subject: models.Model | None = None,
    *,
    origin: Origin,
    details: dict[str, Any] | None = None,
) -> Event:
    """Write one row, in the caller's transaction; about `subject` where it is not the study.

    `details` must not hold patient names.
    """
    return record(
        kind,
        subject or study,
        origin=origin,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_instance_uid=study.study_instance_uid,
        details=details,
    )
