"""Names in native script, as the front desk types and sees them."""

import pytest

from apps.patients.forms import PatientForm
from apps.patients.models import Patient


@pytest.mark.parametrize(
    ("typed", "stored"), [("田中 春香", "田中^春香"), ("田中^春香", "田中^春香"), ("田中", "田中")]
)
def test_the_first_space_parts_family_and_given_name(typed: str, stored: str) -> None:
    form = PatientForm({"family_name": "Tanaka", "ideographic_name": typed})
    assert form.is_valid(), form.errors
    assert form.details.ideographic_name == stored


@pytest.mark.parametrize(
    ("stored", "shown"), [("田中^春香", "田中 春香"), ("De la Cruz^Ana", "De la Cruz^Ana")]
)
def test_the_caret_is_shown_only_where_a_space_would_read_otherwise(
    stored: str, shown: str
) -> None:
    assert PatientForm.initial_of(Patient(ideographic_name=stored))["ideographic_name"] == shown
