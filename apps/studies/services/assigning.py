"""Saying whose study it is that somebody brings: a patient's, or an order's."""

from django.utils.translation import gettext as _

from apps.audit.services import Origin
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Study
from apps.studies.services.coercing import patient_changes
from apps.studies.services.matching import correct_by_hand, match_study


class BelongsElsewhereError(ValueError):
    """The study is another patient's or order's; the message says so in plain words."""


def assign_study(
    study: Study,
    *,
    patient: Patient,
    procedure: RequestedProcedure | None = None,
    fresh: bool,
    origin: Origin,
) -> None:
    """Correct a study to the patient or order chosen, its former values being kept.

    One that was here before (not `fresh`) and belongs to another order or patient stays as
    it is: raises BelongsElsewhereError.
    """
    if not fresh and _belongs_elsewhere(study, patient, procedure):
        raise BelongsElsewhereError(
            _("It is here already as a study of another order or patient, and stays so.")
        )
    reason = _("chosen when it was uploaded")
    if procedure is not None:
        match_study(study, procedure=procedure, reason=reason, origin=origin)
        return
    changes = list(patient_changes(study, patient))
    correct_by_hand(study, changes=changes, reason=reason, origin=origin)


def _belongs_elsewhere(
    study: Study, patient: Patient, procedure: RequestedProcedure | None
) -> bool:
    if study.match == Study.Match.MATCHED and procedure is not None:
        return not study.procedures.filter(pk=procedure.pk).exists()
    return study.patient_id not in (None, patient.pk)
