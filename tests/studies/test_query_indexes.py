"""Keys of queries are read from indexes, on both databases."""

import pytest
from django.db import connection
from django.utils import timezone

from apps.dicom.keys import make_key
from apps.studies.models import Study


@pytest.fixture
def _many_studies(db: None) -> None:
    """Enough that reading all is dearer than an index."""
    Study.objects.bulk_create(
        Study(
            study_instance_uid=f"2.25.{number}",
            patient_name=f"Name{number:05}^Test",
            patient_search_name=f"NAME{number:05} TEST",
            patient_identifier=f"P{number:05}",
            accession_number=f"A{number:05}",
            patient_birth_date=f"{1920 + number % 100}0{1 + number % 9}1{number % 7}",
            referring_physician=f"Referrer{number % 200}^Anna",
            last_instance_at=timezone.now(),
        )
        for number in range(10_000)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Otherwise autovacuum does it, sooner or later: until then the index looks dear.
            cursor.execute("SELECT gin_clean_pending_list('study_inside_patient_name')")
        cursor.execute("ANALYZE studies_study")


KEYS = [
    ("PatientID", ["P00123"], "study_by_patient_number"),
    ("PatientID", ["P0012*"], "study_by_patient_number"),
    ("AccessionNumber", ["A00123"], "study_by_accession_number"),
    ("AccessionNumber", ["A00123", "A00124"], "study_by_accession_number"),
    ("AccessionNumber", ["A0012?"], "study_by_accession_number"),
    ("PatientBirthDate", ["19470817"], "study_by_birth_date"),
    ("ReferringPhysicianName", ["referrer17^*"], "study_by_referrer"),
    ("StudyInstanceUID", [f"2.25.{number}" for number in range(30)], "study_instance_uid"),
]


def plan(keyword: str, values: list[str]) -> str:
    rows = Study.objects.answerable().matching([make_key([keyword], values)])
    return rows.order_by().explain()


@pytest.mark.usefixtures("_many_studies")
def test_every_key_that_names_few_studies_reads_an_index() -> None:
    postgres = connection.vendor == "postgresql"
    for keyword, values, index in KEYS:
        said = plan(keyword, values)
        assert index in said or (not postgres and "autoindex" in said), keyword
        assert "Seq Scan" not in said
        assert "SCAN studies_study" not in said
    if postgres:
        assert "study_inside_patient_name" in plan("PatientName", ["*00123 TE*"])
