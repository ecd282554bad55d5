"""Numbers are given out once, whoever asks at the same time."""

import pytest

from apps.audit.services import Origin
from apps.patients.models import Issuer, Patient
from apps.patients.services import (
    IdentifierDetails,
    IdentifierTaken,
    IssuerDoesNotMint,
    PatientDetails,
    PatientInvalid,
    add_identifier,
    issue_number,
    minting_issuer,
    register_patient,
)
from tests.factories import IssuerFactory, PatientFactory, PatientIdentifierFactory
from tests.threads import at_once


@pytest.mark.django_db
def test_a_site_has_a_series_of_patient_numbers_and_one_of_accession_numbers() -> None:
    patients = minting_issuer(Issuer.Purpose.PATIENT)
    accessions = minting_issuer(Issuer.Purpose.ACCESSION)
    assert patients.namespace == accessions.namespace == "OPENPACS"
    assert [issue_number(patients), issue_number(patients)] == ["P0000001", "P0000002"]
    assert issue_number(accessions) == "A0000001"


@pytest.mark.django_db
def test_an_issuer_elsewhere_gives_out_its_own_numbers() -> None:
    with pytest.raises(IssuerDoesNotMint):
        issue_number(IssuerFactory(namespace="HOSPITAL"))


@pytest.mark.django_db
def test_a_number_that_came_from_elsewhere_is_stepped_over() -> None:
    issuer = minting_issuer(Issuer.Purpose.PATIENT)
    PatientIdentifierFactory(issuer=issuer, value="P0000001")
    assert issue_number(issuer) == "P0000002"


@pytest.mark.django_db(transaction=True)
def test_twenty_clerks_at_once_get_twenty_numbers_without_a_gap() -> None:
    def register(number: int) -> None:
        details = PatientDetails(family_name=f"Clerk{number}")
        register_patient(details, origin=Origin(protocol="test"))

    at_once(register, range(20))
    numbers = sorted(str(patient.primary_identifier) for patient in Patient.objects.all())
    assert numbers == [f"P{number:07}" for number in range(1, 21)]


@pytest.mark.django_db
def test_a_number_of_another_patient_is_refused(origin: Origin) -> None:
    taken = PatientIdentifierFactory(issuer=IssuerFactory(namespace="HOSPITAL"))
    other = PatientFactory()
    with pytest.raises(IdentifierTaken):
        add_identifier(
            other,
            identifier=IdentifierDetails(value=taken.value, namespace="HOSPITAL"),
            origin=origin,
        )
    assert other.identifiers.count() == 0


@pytest.mark.django_db
def test_a_number_the_patient_has_already_changes_nothing(origin: Origin) -> None:
    known = PatientIdentifierFactory(issuer=IssuerFactory(namespace="HOSPITAL"))
    again = add_identifier(
        known.patient,
        identifier=IdentifierDetails(value=f" {known.value} ", namespace="HOSPITAL"),
        origin=origin,
    )
    assert again == known


@pytest.mark.django_db
@pytest.mark.parametrize(("value", "namespace"), [("", "HOSPITAL"), ("1", " "), ("9" * 65, "X")])
def test_an_unusable_number_is_refused(value: str, namespace: str, origin: Origin) -> None:
    with pytest.raises(PatientInvalid):
        add_identifier(
            PatientFactory(),
            identifier=IdentifierDetails(value=value, namespace=namespace),
            origin=origin,
        )
