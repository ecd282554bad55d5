"""On PostgreSQL the beginning of a name is found through an index; SQLite migrates the same."""

import pytest
from django.db import connection
from django.utils import timezone

from apps.dicom.keys import make_key
from apps.patients.models import Patient
from apps.studies.models import Study

ON_POSTGRES = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="about the planner of PostgreSQL"
)


@pytest.fixture
def _many_studies(db: None) -> None:
    """Enough that reading all is dearer than an index; every tenth name has two groups."""
    names = [f"Name{number:05}^Test" for number in range(20_000)]
    names[::10] = [f"{name}={number:05}^Test" for number, name in enumerate(names[::10])]
    Study.objects.bulk_create(
        Study(
            study_instance_uid=f"2.25.{number}",
            patient_name=name,
            patient_search_name=name.upper().replace("^", " ").replace("=", " "),
            last_instance_at=timezone.now(),
        )
        for number, name in enumerate(names)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE studies_study")


@ON_POSTGRES
@pytest.mark.usefixtures("_many_studies")
def test_qido_by_the_beginning_of_a_name_reads_an_index() -> None:
    plan = Study.objects.matching([make_key(["PatientName"], ["NAME0123*"])]).explain()
    assert "study_by_patient_name" in plan
    assert "study_by_several_names" in plan
    assert "Seq Scan" not in plan


@pytest.mark.usefixtures("_many_studies")
def test_any_group_of_a_name_is_found_so() -> None:
    found = Study.objects.matching([make_key(["PatientName"], ["00123*"])])
    assert [row.patient_name for row in found] == ["Name01230^Test=00123^Test"]
    assert Study.objects.matching([make_key(["PatientName"], ["NAME0123*"])]).count() == 10


@ON_POSTGRES
@pytest.mark.django_db
def test_patients_by_the_beginning_of_a_name_are_read_from_an_index() -> None:
    Patient.objects.bulk_create(
        Patient(family_name=f"Name{number}", search_name=f"NAME{number:05} TEST")
        for number in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE patients_patient")
    plan = Patient.objects.filter(search_name__startswith="NAME0123").order_by().explain()
    assert "patient_by_name_prefix" in plan
