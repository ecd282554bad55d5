"""Entering patients, correcting them, finding them again by a number."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.names import search_form
from apps.patients.models import Issuer, Patient, PatientIdentifier
from apps.patients.services.numbers import (
    IdentifierDetails,
    attach,
    issue_number,
    minting_issuer,
)
from apps.patients.services.refusals import PatientInvalid, PatientMerged

NAME_COMPONENTS = ("family_name", "given_name", "middle_name", "name_prefix", "name_suffix")
OLDEST_BIRTH_YEAR = 1850


@dataclass(frozen=True, kw_only=True)
class PatientDetails:
    """Who a patient is. A date of birth without precision counts as known to the day."""

    family_name: str
    given_name: str = ""
    middle_name: str = ""
    name_prefix: str = ""
    name_suffix: str = ""
    ideographic_name: str = ""
    phonetic_name: str = ""
    birth_date: datetime.date | None = None
    birth_precision: str = ""
    sex: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""
    language: str = ""
    medical_alerts: str = ""
    allergies: str = ""
    weight_kg: Decimal | None = None
    height_cm: int | None = None
    pregnancy: str = ""
    special_needs: str = ""
    confidentiality: str = ""


def register_patient(
    details: PatientDetails,
    *,
    identifiers: Sequence[IdentifierDetails] = (),
    origin: Origin,
) -> Patient:
    """Enter a patient under the given numbers and one of ours, which is shown first.

    Raises PatientInvalid, or IdentifierTaken where a number belongs to somebody else.
    """
    with transaction.atomic():
        patient = Patient()
        _apply(patient, details)
        patient.save()
        for identifier in identifiers:
            attach(patient, identifier)
        _give_own_number(patient)
        audit.record(Kind.PATIENT_REGISTERED, patient, origin=origin, patient_id=patient.pk)
    return patient


def update_patient(patient: Patient, *, details: PatientDetails, origin: Origin) -> Patient:
    """Correct the details; raises PatientInvalid, or PatientMerged for a merged patient."""
    with transaction.atomic():
        current = Patient.objects.select_for_update().get(pk=patient.pk)
        if current.status == Patient.Status.MERGED:
            raise PatientMerged(current)
        changed = _apply(current, details)
        if changed:
            current.save()
            audit.record(
                Kind.PATIENT_UPDATED,
                current,
                origin=origin,
                patient_id=current.pk,
                details={"changed": changed},
            )
    return current


def find_patient(*, value: str, namespace: str = "") -> Patient | None:
    """Whoever has this number; without a namespace only if just one patient has it.

    A merged patient gives its survivor.
    """
    rows = PatientIdentifier.objects.filter(value=value.strip()).select_related("patient")
    if namespace:
        rows = rows.filter(issuer__namespace=namespace.strip())
    found = {survivor.pk: survivor for survivor in (row.patient.survivor for row in rows)}
    return found.popitem()[1] if len(found) == 1 else None


def note_viewing(patient: Patient, *, origin: Origin) -> None:
    """Write down that somebody looked at a patient."""
    audit.record(Kind.PATIENT_VIEWED, patient, origin=origin, patient_id=patient.pk)


def _give_own_number(patient: Patient) -> None:
    issuer = minting_issuer(Issuer.Purpose.PATIENT)
    # A partner or an import may bring a number of ours along: then none is minted.
    given = patient.identifiers.filter(issuer=issuer).first()
    if given is None:
        patient.identifiers.create(issuer=issuer, value=issue_number(issuer), preferred=True)
    else:
        given.preferred = True
        given.save(update_fields=["preferred"])


def _apply(patient: Patient, details: PatientDetails) -> list[str]:
    """Put the details on the row, checked; returns the names of what changed."""
    if details.birth_date and not details.birth_precision:
        details = replace(details, birth_precision=Patient.Precision.DAY.value)
    changed = []
    for field in fields(details):
        value = getattr(details, field.name)
        value = value.strip() if isinstance(value, str) else value
        if getattr(patient, field.name) != value:
            setattr(patient, field.name, value)
            changed.append(field.name)
    patient.search_name = search_form(patient.person_name)[:300]
    _check(patient)
    return changed


def _check(patient: Patient) -> None:
    faults: dict[str, list[str]] = {}
    try:
        patient.full_clean(validate_unique=False)
    except ValidationError as error:
        faults = error.message_dict
    for name in NAME_COMPONENTS:
        _check_component(name, getattr(patient, name), faults)
    for name in ("ideographic_name", "phonetic_name"):
        _check_group(name, getattr(patient, name), faults)
    born = patient.birth_date
    if born and born.year < OLDEST_BIRTH_YEAR:
        faults.setdefault("birth_date", []).append(_("This date of birth is too long ago."))
    if born and born > timezone.localdate():
        faults.setdefault("birth_date", []).append(_("The date of birth lies in the future."))
    if faults:
        raise PatientInvalid(faults)


def _check_component(name: str, value: str, faults: dict[str, list[str]]) -> None:
    # PS3.5 6.2.1.1: ^ and = part the components and groups of a name, \ parts values.
    if any(char in value for char in "^=\\") or not value.isprintable():
        message = _("A name cannot contain ^ = \\ or control characters.")
        faults.setdefault(name, []).append(message)


def _check_group(name: str, value: str, faults: dict[str, list[str]]) -> None:
    if any(char in value for char in "=\\") or value.count("^") > 4 or not value.isprintable():
        message = _("Write it as family^given, without = \\ or control characters.")
        faults.setdefault(name, []).append(message)
