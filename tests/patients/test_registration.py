"""Entering and correcting patients."""

import datetime

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.patients.models import Patient
from apps.patients.services import (
    IdentifierDetails,
    PatientDetails,
    PatientInvalid,
    PatientMerged,
    find_patient,
    register_patient,
    update_patient,
)
from tests.factories import IssuerFactory, PatientFactory, PatientIdentifierFactory

pytestmark = pytest.mark.django_db


def test_a_patient_gets_our_number_first_and_keeps_those_of_others(origin: Origin) -> None:
    patient = register_patient(
        PatientDetails(family_name="Müller", given_name="Jörg"),
        identifiers=[IdentifierDetails(value="77", namespace="HOSPITAL")],
        origin=origin,
    )
    assert str(patient.primary_identifier) == "P0000001"
    assert {str(one) for one in patient.identifiers.all()} == {"P0000001", "77"}
    assert patient.search_name == "MULLER JORG"


def test_registering_leaves_one_journal_row_without_the_name(origin: Origin) -> None:
    patient = register_patient(PatientDetails(family_name="Secret"), origin=origin)
    event = Event.objects.get()
    assert (event.kind, event.patient_id) == (Kind.PATIENT_REGISTERED, patient.pk)
    assert "Secret" not in str(event.__dict__)


def test_a_number_of_ours_that_comes_along_is_kept(origin: Origin) -> None:
    patient = register_patient(
        PatientDetails(family_name="Known"),
        identifiers=[IdentifierDetails(value="P0000042", namespace="OPENPACS")],
        origin=origin,
    )
    assert [str(one) for one in patient.identifiers.all()] == ["P0000042"]


@pytest.mark.parametrize(
    ("field", "details"),
    [
        ("family_name", {"family_name": ""}),
        ("family_name", {"family_name": "Doe^Jane"}),
        ("family_name", {"family_name": "x" * 65}),
        ("given_name", {"given_name": "a\\b"}),
        ("given_name", {"given_name": "a\x00b"}),
        ("ideographic_name", {"ideographic_name": "山田=太郎"}),
        ("sex", {"sex": "X"}),
        ("email", {"email": "nobody"}),
        ("birth_date", {"birth_date": datetime.date(1700, 1, 1)}),
        ("birth_date", {"birth_date": datetime.date(2999, 1, 1)}),
    ],
)
def test_details_that_cannot_be_right_are_refused_by_field(
    field: str, details: dict[str, object], origin: Origin
) -> None:
    with pytest.raises(PatientInvalid) as refused:
        register_patient(
            PatientDetails(**{"family_name": "Doe", **details}),  # type: ignore[arg-type]
            origin=origin,
        )
    assert list(refused.value.fields) == [field]
    assert not Patient.objects.exists()
    assert not Event.objects.exists()


def test_a_date_of_birth_without_precision_is_known_to_the_day(origin: Origin) -> None:
    details = PatientDetails(family_name="Doe", birth_date=datetime.date(1980, 5, 17))
    assert register_patient(details, origin=origin).display_birth_date == "1980-05-17"


def test_an_update_tells_which_fields_changed(origin: Origin) -> None:
    patient = register_patient(PatientDetails(family_name="Doe"), origin=origin)
    details = PatientDetails(family_name="Roe", phone="123")
    changed = update_patient(patient, details=details, origin=origin)
    assert changed.search_name == "ROE"
    event = Event.objects.get(kind=Kind.PATIENT_UPDATED)
    assert event.details == {"changed": ["family_name", "phone"]}


def test_an_update_that_changes_nothing_leaves_no_journal_row(origin: Origin) -> None:
    details = PatientDetails(family_name="Doe", birth_date=datetime.date(1980, 1, 1))
    patient = register_patient(details, origin=origin)
    update_patient(patient, details=details, origin=origin)
    assert not Event.objects.filter(kind=Kind.PATIENT_UPDATED).exists()


def test_a_merged_patient_is_not_changed_but_its_survivor_found(origin: Origin) -> None:
    survivor = PatientFactory()
    merged = PatientFactory(status=Patient.Status.MERGED, merged_into=survivor)
    number = PatientIdentifierFactory(patient=merged)
    with pytest.raises(PatientMerged):
        update_patient(merged, details=PatientDetails(family_name="New"), origin=origin)
    assert find_patient(value=number.value) == survivor


def test_a_bare_number_of_two_patients_finds_nobody() -> None:
    one = PatientIdentifierFactory(value="5", issuer=IssuerFactory(namespace="A"))
    PatientIdentifierFactory(value="5", issuer=IssuerFactory(namespace="B"))
    assert find_patient(value="5") is None
    assert find_patient(value="5", namespace="A") == one.patient
    assert find_patient(value="5", namespace="C") is None
