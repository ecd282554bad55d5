"""Finding studies by the keys of a query and by what a person types."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import models

from apps.audit.services import Origin
from apps.dicom.keys import BadKeyError, Terms, make_key
from apps.studies.models import Instance, Series, Study
from apps.studies.services import Wanted, list_studies, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db
Found = Callable[..., list[str]]


@pytest.fixture
def archive(spool: Spool, origin: Origin) -> None:
    people: list[dict[str, Any]] = [
        {"PatientName": "Müller^Jörg", "PatientID": "P1", "AccessionNumber": "A_1"},
        {
            "PatientName": "Yamada^Tarou=山田^太郎",
            "PatientID": "P2",
            "AccessionNumber": "AX1",
            "StudyDate": "20260601",
            "StudyTime": "0800",
            "Modality": "MR",
            "PatientBirthDate": "19700101",
        },
        {"PatientName": "Miller^Anna", "PatientID": "P3", "StudyDate": None, "PatientSex": "F"},
    ]
    store_instances([spool.write([part10(ct_image(**person))]) for person in people], origin=origin)


def found(rows: models.QuerySet[Study]) -> list[str]:
    return sorted(rows.values_list("patient_identifier", flat=True))


@pytest.mark.parametrize(
    ("keyword", "values", "expected"),
    [
        ("PatientID", ["P1"], ["P1"]),
        ("PatientID", ["P1", "P3"], ["P1", "P3"]),
        ("PatientID", ["P?"], ["P1", "P2", "P3"]),
        ("AccessionNumber", ["A_*"], ["P1"]),
        ("PatientName", ["muller^jorg"], ["P1"]),
        ("PatientName", ["MÜLLER^*"], ["P1"]),
        ("PatientName", ["M*LLER*"], ["P1", "P3"]),
        ("PatientName", ["Muller"], []),
        ("PatientName", ["Yamada^Tarou"], ["P2"]),
        ("PatientName", ["山田*"], ["P2"]),
        ("PatientBirthDate", ["19700101"], ["P2"]),
        ("PatientBirthDate", ["1960-1975"], ["P2"]),
        ("PatientSex", ["F"], ["P3"]),
        ("StudyDate", ["20260501-20260531"], ["P1"]),
        ("StudyDate", ["20260601-"], ["P2"]),
        ("StudyTime", ["0759-0801"], ["P2"]),
        ("ModalitiesInStudy", ["MR"], ["P2"]),
        ("ModalitiesInStudy", ["MR", "CT"], ["P1", "P2", "P3"]),
        ("ModalitiesInStudy", ["M"], []),
        ("Modality", ["MR"], ["P2"]),
        ("SOPClassUID", ["1.2.3"], []),
        ("NumberOfStudyRelatedInstances", ["1"], ["P1", "P2", "P3"]),
        ("StudyInstanceUID", ["1.2.*"], []),
        ("StudyComments", ["unknown keys are passed over"], ["P1", "P2", "P3"]),
    ],
)
def test_a_key_finds_its_studies(
    archive: None, keyword: str, values: list[str], expected: list[str]
) -> None:
    assert found(Study.objects.matching([make_key([keyword], values)])) == expected


def test_keys_of_all_levels_work_together(archive: None) -> None:
    keys = [make_key(["PatientID"], ["P2"]), make_key(["Rows"], ["4"])]
    assert Study.objects.matching(keys).count() == 1
    assert Series.objects.matching(keys).get().modality == "MR"
    assert Instance.objects.matching(keys).get().rows == 4


@pytest.mark.parametrize(
    ("text", "expected"), [("mul jo", ["P1"]), ("tar yam", ["P2"]), ("jorg", ["P1"]), ("x", [])]
)
def test_fuzzy_matching_compares_beginnings_of_words(
    archive: None, text: str, expected: list[str]
) -> None:
    keys = [make_key(["PatientName"], [text])]
    assert found(Study.objects.matching(keys, Terms(fuzzy=True))) == expected


def test_a_nonsense_date_is_a_bad_key(archive: None) -> None:
    with pytest.raises(BadKeyError, match="StudyDate"):
        Study.objects.matching([make_key(["StudyDate"], ["yesterday"])])


def test_one_box_finds_name_number_accession_and_uid(archive: None) -> None:
    def by(typed: str) -> list[str]:
        page = list_studies(Study.objects.all(), Wanted(q=typed))
        return sorted(one.patient_identifier for one in page.studies)

    assert by("jörg mül") == ["P1"]
    assert by("p2") == ["P2"]
    assert by("A_1") == ["P1"]
    assert by(Study.objects.get(patient_identifier="P3").study_instance_uid) == ["P3"]
    assert by(" ") == ["P1", "P2", "P3"]
    assert by("%") == []
