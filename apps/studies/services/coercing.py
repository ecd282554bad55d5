"""What the order of a study knows better than its images (IHE RAD TF-2, patient information)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from pydicom.datadict import dictionary_VR

from apps.audit.services import Origin
from apps.dicom.amending import Change, person_name, text_of
from apps.dicom.dates import format_date
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.studies.models import Correction, Study
from apps.studies.services.columns import STUDY_COLUMNS
from apps.studies.services.correcting import correct_study, shown_value, undo_open

REQUESTED_PROCEDURE_ID = "00400275/0/00401001"


def coerce_from_order(
    study: Study,
    procedures: Sequence[RequestedProcedure],
    *,
    origin: Origin,
    source: Correction.Source = Correction.Source.ORDER,
    reason: str = "",
) -> None:
    """Show what patient and order say where the images say something else.

    For a study that surely belongs to its order, in the transaction that says so. What is
    not known to patient or order stays as sent; OPENPACS_COERCE_FROM_ORDER says which
    attributes are looked at.
    """
    if not (study.patient and procedures and settings.OPENPACS_COERCE_FROM_ORDER):
        return
    changes = list(_differences(study, study.patient, procedures[0]))
    if changes:
        correct_study(
            study,
            changes=changes,
            reason=reason or _("as order %(order)s says") % {"order": procedures[0].order},
            source=source,
            origin=origin,
        )


def follow_patient(study: Study, *, origin: Origin) -> None:
    """Show a matched study as the record of its patient says now."""
    with transaction.atomic():
        row = Study.objects.select_for_update().get(pk=study.pk)
        if row.match == Study.Match.MATCHED:
            coerce_from_order(
                row,
                list(row.procedures.select_related("order__referrer").order_by("pk")),
                origin=origin,
                source=Correction.Source.PATIENT,
                reason=_("as the record of the patient says"),
            )


def patient_changes(study: Study, patient: Patient) -> Iterator[Change]:
    """What the record of a patient says otherwise than a study does."""
    for path, known in _OF_PATIENT.values():
        change = Change(path, dictionary_VR(int(path, 16)), known(patient))
        if text_of(change.values) and _plain(_shown(study, change)) != _plain(
            text_of(change.values)
        ):
            yield change


def undo_coercion(study: Study, *, origin: Origin) -> None:
    """Take back what an order said of a study that is not its own, the study being locked."""
    sources = (Correction.Source.ORDER, Correction.Source.PATIENT)
    undo_open(study, study.corrections.filter(source__in=sources), origin=origin)


def _differences(study: Study, patient: Patient, asked: RequestedProcedure) -> Iterator[Change]:
    for keyword in settings.OPENPACS_COERCE_FROM_ORDER:
        path, known = _KNOWN[keyword]
        values = known(patient, asked)
        if not text_of(values):
            continue
        change = Change(path, dictionary_VR(int(path.rpartition("/")[2], 16)), values)
        shown = _shown(study, change)
        if _is_silent(keyword, shown) or _plain(shown) == _plain(text_of(values)):
            continue
        yield change


def _shown(study: Study, change: Change) -> str:
    if change.path not in STUDY_COLUMNS:
        return text_of(shown_value(study, change))
    value = getattr(study, STUDY_COLUMNS[change.path][0])
    return value if isinstance(value, str) else format_date(value)


def _is_silent(keyword: str, shown: str) -> bool:
    """Hardly any device writes an issuer: that it is absent is no reason to write headers anew."""
    return keyword in {"IssuerOfPatientID", "RequestedProcedureID"} and not shown


def _plain(text: str) -> str:
    """Without the delimiters that nobody has to write (PS3.5 6.2.1.1)."""
    return "=".join(group.strip().rstrip("^ ") for group in text.split("=")).rstrip("=")


def _number(patient: Patient) -> PatientIdentifier | None:
    return patient.primary_identifier


def _patient_id(patient: Patient, _asked: RequestedProcedure | None = None) -> list[Any]:
    number = _number(patient)
    return [number.value] if number else []


def _issuer(patient: Patient, _asked: RequestedProcedure | None = None) -> list[Any]:
    number = _number(patient)
    return [number.issuer.namespace] if number else []


def _patient_name(patient: Patient, _asked: RequestedProcedure | None = None) -> list[Any]:
    return [person_name(patient.person_name)]


def _birth_date(patient: Patient, _asked: RequestedProcedure | None = None) -> list[Any]:
    if patient.birth_precision != Patient.Precision.DAY:
        return []
    return [format_date(patient.birth_date)]


def _sex(patient: Patient, _asked: RequestedProcedure | None = None) -> list[Any]:
    return [patient.sex]


def _accession_number(_patient: Patient, asked: RequestedProcedure) -> list[Any]:
    return [asked.order.accession_number]


def _referrer(_patient: Patient, asked: RequestedProcedure) -> list[Any]:
    referrer = asked.order.referrer
    return [person_name(referrer.person_name)] if referrer else []


def _description(_patient: Patient, asked: RequestedProcedure) -> list[Any]:
    return [asked.meaning]


def _identifier(_patient: Patient, asked: RequestedProcedure) -> list[Any]:
    return [asked.identifier]


_OF_PATIENT: dict[str, tuple[str, Callable[..., list[Any]]]] = {
    "PatientID": ("00100020", _patient_id),
    "IssuerOfPatientID": ("00100021", _issuer),
    "PatientName": ("00100010", _patient_name),
    "PatientBirthDate": ("00100030", _birth_date),
    "PatientSex": ("00100040", _sex),
}
_KNOWN: dict[str, tuple[str, Callable[[Patient, RequestedProcedure], list[Any]]]] = {
    **_OF_PATIENT,
    "AccessionNumber": ("00080050", _accession_number),
    "ReferringPhysicianName": ("00080090", _referrer),
    "StudyDescription": ("00081030", _description),
    "StudyID": ("00200010", _identifier),
    "RequestedProcedureID": (REQUESTED_PROCEDURE_ID, _identifier),
}
COERCIBLE = frozenset(_KNOWN)
