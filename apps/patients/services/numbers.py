"""Numbers of patients and orders: ours, counted here, and those of others."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.patients.models import Issuer, Patient, PatientIdentifier
from apps.patients.services.refusals import IdentifierTaken, IssuerDoesNotMint, PatientInvalid


@dataclass(frozen=True, kw_only=True)
class IdentifierDetails:
    """A number somebody knows a patient by, and who gave it out (HL7 CX.1, CX.4, CX.5)."""

    value: str
    namespace: str
    type_code: str = "MR"


def minting_issuer(purpose: Issuer.Purpose) -> Issuer:
    """The issuer whose numbers of this purpose we give out."""
    return Issuer.objects.get(purpose=purpose, mints=True)


def issue_number(issuer: Issuer) -> str:
    """The next number of a series of ours; no number is given out twice.

    PostgreSQL holds the row locked to the end of the transaction; on SQLite the
    IMMEDIATE transaction is alone already. A number that came in from elsewhere
    meanwhile (an import, a partner that knows our numbers) is stepped over.
    """
    with transaction.atomic():
        row = Issuer.objects.select_for_update().get(pk=issuer.pk)
        if not row.mints:
            raise IssuerDoesNotMint(row)
        number = _next_free(row)
        row.save(update_fields=["next_number"])
    return number


def _next_free(row: Issuer) -> str:
    while True:
        number = f"{row.prefix}{row.next_number:0{row.width}d}"
        row.next_number += 1
        if not PatientIdentifier.objects.filter(issuer=row, value=number).exists():
            return number


def add_identifier(
    patient: Patient, *, identifier: IdentifierDetails, origin: Origin
) -> PatientIdentifier:
    """Give a patient one more number; one it already has is left as it is."""
    with transaction.atomic():
        row, created = attach(patient, identifier)
        if created:
            audit.record(
                Kind.PATIENT_UPDATED,
                patient,
                origin=origin,
                patient_id=patient.pk,
                details={"changed": ["identifiers"]},
            )
    return row


def attach(patient: Patient, identifier: IdentifierDetails) -> tuple[PatientIdentifier, bool]:
    """The row of a number of this patient and whether it is new; no journal row."""
    issuer = named_issuer(identifier.namespace)
    value = identifier.value.strip()
    row = PatientIdentifier.objects.filter(issuer=issuer, value=value).first()
    if row is None:
        return _create(patient, issuer, value, identifier.type_code), True
    if row.patient_id != patient.pk:
        raise IdentifierTaken(value=value, namespace=issuer.namespace)
    return row, False


def _create(patient: Patient, issuer: Issuer, value: str, type_code: str) -> PatientIdentifier:
    row = PatientIdentifier(patient=patient, issuer=issuer, value=value, type_code=type_code)
    try:
        row.full_clean(validate_constraints=False, validate_unique=False)
    except ValidationError as error:
        raise PatientInvalid(error.message_dict) from error
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:  # somebody was faster with the same number
        raise IdentifierTaken(value=value, namespace=issuer.namespace) from error
    return row


def named_issuer(namespace: str) -> Issuer:
    """The issuer of patient numbers with this namespace; a new one is entered."""
    name = namespace.strip()
    if not name or len(name) > 64:
        raise PatientInvalid({"namespace": [_("An issuer has a name of 1 to 64 characters.")]})
    issuer, _created = Issuer.objects.get_or_create(purpose=Issuer.Purpose.PATIENT, namespace=name)
    return issuer
