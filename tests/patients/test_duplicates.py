"""Somebody who is here already is noticed."""

import datetime

import pytest

from apps.patients.models import Patient
from apps.patients.services import (
    IdentifierDetails,
    PatientDetails,
    possible_duplicates,
    ranked_duplicates,
)
from tests.factories import PatientFactory, PatientIdentifierFactory

pytestmark = pytest.mark.django_db

BORN = datetime.date(1980, 5, 4)


@pytest.fixture
def known() -> Patient:
    patient: Patient = PatientFactory(
        family_name="Müller",
        given_name="Jörg",
        search_name="MULLER JORG",
        birth_date=BORN,
        phone="0123",
        sex="M",
    )
    return patient


@pytest.mark.parametrize(
    ("details", "reasons", "strong"),
    [
        (
            {"family_name": "Muller", "given_name": "Jorg", "birth_date": BORN},
            ["same name", "same date of birth"],
            True,
        ),
        (
            {"family_name": "Jörg", "given_name": "Müller", "birth_date": BORN},
            ["same name", "same date of birth"],
            True,
        ),
        (
            {"family_name": "Muler", "given_name": "Jörg", "birth_date": BORN},
            ["similar name", "same date of birth"],
            True,
        ),
        (
            {
                "family_name": "Müller",
                "given_name": "Jörg",
                "birth_date": datetime.date(1980, 4, 5),
            },
            ["same name", "day and month of birth exchanged"],
            True,
        ),
        (
            {
                "family_name": "Müller",
                "given_name": "Jörg",
                "birth_date": datetime.date(1980, 1, 1),
                "birth_precision": "year",
            },
            ["same name", "same year of birth"],
            False,
        ),
        ({"family_name": "Müller", "given_name": "Jörg"}, ["same name"], False),
        (
            {"family_name": "Schmidt", "given_name": "Eva", "birth_date": BORN},
            ["same date of birth"],
            False,
        ),
    ],
)
def test_a_likely_duplicate_is_shown_with_its_reasons(
    known: Patient, details: dict[str, str], reasons: list[str], strong: bool
) -> None:
    (candidate,) = ranked_duplicates(PatientDetails(**details))  # type: ignore[arg-type]
    assert candidate.patient == known
    assert candidate.reasons == reasons
    assert candidate.strong is strong


def test_the_other_sex_speaks_against_a_duplicate(known: Patient) -> None:
    details = PatientDetails(family_name="Müller", given_name="Eva", birth_date=BORN, sex="F")
    assert possible_duplicates(details) == []


def test_a_known_number_is_the_strongest_reason(known: Patient) -> None:
    PatientIdentifierFactory(patient=known, value="77")
    details = PatientDetails(family_name="Other")
    found = possible_duplicates(details, identifiers=[IdentifierDetails(value="77", namespace="X")])
    assert found == [(known, ["same number"])]


def test_nothing_typed_finds_nobody(known: Patient) -> None:
    assert possible_duplicates(PatientDetails(family_name="")) == []


def test_a_merged_patient_is_no_candidate(known: Patient) -> None:
    survivor = PatientFactory(birth_date=None, birth_precision="")
    Patient.objects.filter(pk=known.pk).update(status="merged", merged_into=survivor)
    details = PatientDetails(family_name="Müller", given_name="Jörg", birth_date=BORN)
    assert possible_duplicates(details) == []
