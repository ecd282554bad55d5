"""Which stored studies are of one person, over every number the person has."""

from django.db.models import Q, QuerySet

from apps.dicom.uids import valid_uid
from apps.patients.models import Patient, PatientIdentifier
from apps.patients.services import find_patient
from apps.studies.models import Study


def of_person(patient: Patient) -> Q:
    """The condition on studies that are of a patient, before and after merges.

    Linked ones, and those that nobody linked yet but that bear one of the numbers: with its
    issuer, or without any issuer where nobody else has that number. A study that contradicts
    its order is nobody's until a person has decided.
    """
    records = _records(patient)
    numbers = PatientIdentifier.objects.filter(patient__in=records)
    pairs = list(numbers.values_list("value", "issuer__namespace"))
    values = {value for value, _ in pairs}
    others = PatientIdentifier.objects.filter(value__in=values).exclude(patient__in=records)
    own = values - set(others.values_list("value", flat=True))
    bearing = Q(patient_identifier__in=own, patient_identifier_issuer="")
    for value, namespace in pairs:
        bearing |= Q(patient_identifier=value, patient_identifier_issuer=namespace)
    unlinked = Q(patient=None) & ~Q(match=Study.Match.CONFLICT)
    return Q(patient__in=records) | (unlinked & bearing)


def of_patient_of(study: Study) -> Q:
    """The condition on studies of the patient of a study, itself among them.

    Where no record has its number, number and issuer tell: a number alone is not a patient. A
    study without either stands alone.
    """
    person = study.patient or _numbered(study)
    if person is not None:
        return Q(pk=study.pk) | of_person(person)
    if not study.patient_identifier:
        return Q(pk=study.pk)
    return Q(pk=study.pk) | Q(
        patient=None,
        patient_identifier=study.patient_identifier,
        patient_identifier_issuer=study.patient_identifier_issuer,
    )


def not_of(patient: Patient, uids: list[str]) -> list[str]:
    """Those of some Study Instance UIDs that are not of a patient; unknown ones are not."""
    asked = [uid for uid in uids if valid_uid(uid)]
    known: set[str] = set()
    if asked:
        rows: QuerySet[Study] = Study.everything.filter(of_person(patient))
        found = rows.filter(study_instance_uid__in=asked)
        known = set(found.values_list("study_instance_uid", flat=True))
    return [uid for uid in uids if uid not in known]


def _numbered(study: Study) -> Patient | None:
    """Who has the number of a study that is linked to nobody, and nobody else has."""
    if study.match == Study.Match.CONFLICT or not study.patient_identifier:
        return None
    return find_patient(value=study.patient_identifier, namespace=study.patient_identifier_issuer)


def _records(patient: Patient) -> set[int]:
    """The keys of all records of one person: the survivor and what was merged into it."""
    found = {patient.survivor.pk}
    newer = set(found)
    while newer:
        merged = Patient.objects.filter(merged_into__in=newer).values_list("pk", flat=True)
        newer = set(merged) - found
        found |= newer
    return found
