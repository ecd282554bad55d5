"""QIDO-RS."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.studies.models import Study
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db
STUDIES = "/dicom-web/studies"


@pytest.fixture
def archive(keep: Keep) -> list[str]:
    """Three studies (oldest first); the first has two series, one of them with two images."""
    first = ct_image(StudyDate="20260101", PatientID="P1", PatientName="Müller^Jörg")
    keep(first)
    keep(
        ct_image(
            StudyInstanceUID=first.StudyInstanceUID,
            SeriesInstanceUID=first.SeriesInstanceUID,
            PatientID="P1",
            InstanceNumber=2,
        )
    )
    keep(ct_image(StudyInstanceUID=first.StudyInstanceUID, SeriesNumber=1, Modality="SR"))
    second = ct_image(StudyDate="20260202", PatientID="P2", PatientName="Miller^Anna")
    third = ct_image(StudyDate="20260303", PatientID="P3", Modality="MR", PatientName="Ng^Li")
    keep(second)
    keep(third)
    return [str(one.StudyInstanceUID) for one in (first, second, third)]


def numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/dicom+json"
    return [row["00100020"]["Value"][0] for row in answer.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["P3", "P2", "P1"]),
        ("PatientID=P2", ["P2"]),
        ("00100020=P2", ["P2"]),
        ("PatientName=M*ller*", ["P2", "P1"]),
        ("PatientName=jor%20mul&fuzzymatching=true", ["P1"]),
        ("ReferringPhysicianName=greg%20hou&fuzzymatching=true", ["P3", "P2", "P1"]),
        ("ReferringPhysicianName=greg%20hou", []),
        ("ReferringPhysicianName=greg%20wil&fuzzymatching=true", []),
        ("StudyDate=20260102-20260202", ["P2"]),
        ("StudyDate=-20260202", ["P2", "P1"]),
        ("ModalitiesInStudy=MR,SR", ["P3", "P1"]),
        ("Modality=SR", ["P1"]),
        ("limit=1&offset=1", ["P2"]),
        ("limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060", None),
        ("includefield=all&limit=0", []),
        ("PatientID=P2&accept=application/dicom%2Bjson", ["P2"]),
    ],
)
def test_studies_are_found(
    radiologist: Client, archive: list[str], query: str, expected: list[str] | None
) -> None:
    wanted = ["P3", "P2", "P1"] if expected is None else expected
    assert numbers(radiologist.get(f"{STUDIES}?{query}")) == wanted


@pytest.mark.parametrize("joint", ["\\", "%5C", ","])
def test_several_study_uids_are_a_list(radiologist: Client, archive: list[str], joint: str) -> None:
    answer = radiologist.get(f"{STUDIES}?StudyInstanceUID={archive[0]}{joint}{archive[1]}")
    assert numbers(answer) == ["P2", "P1"]


def test_a_study_row_says_what_a_viewer_reads(radiologist: Client, archive: list[str]) -> None:
    (row,) = radiologist.get(f"{STUDIES}?StudyInstanceUID={archive[0]}").json()
    assert row["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    assert row["00080061"]["Value"] == ["CT", "SR"]
    assert row["00201206"]["Value"] == [2]
    assert row["00201208"]["Value"] == [3]
    assert row["00081190"]["Value"] == [f"{STUDIES}/{archive[0]}"]
    assert row["00080020"]["Value"] == ["20260101"]
    assert row["00100021"] == {"vr": "LO"}


def test_series_and_instances_are_found_at_every_nesting(
    radiologist: Client, archive: list[str]
) -> None:
    series = radiologist.get(f"{STUDIES}/{archive[0]}/series").json()
    assert [row["00200011"]["Value"][0] for row in series] == [1, 2]
    assert [row["00201209"]["Value"][0] for row in series] == [1, 2]
    uid = series[1]["0020000E"]["Value"][0]
    inner = radiologist.get(f"{STUDIES}/{archive[0]}/series/{uid}/instances").json()
    assert [row["00200013"]["Value"][0] for row in inner] == [1, 2]
    assert inner[0]["00280010"]["Value"] == [4]
    assert len(radiologist.get(f"{STUDIES}/{archive[0]}/instances").json()) == 3
    assert len(radiologist.get("/dicom-web/series?PatientID=P1").json()) == 2
    assert len(radiologist.get("/dicom-web/instances?Modality=MR").json()) == 1
    assert len(radiologist.get(f"{STUDIES}/{archive[0]}/series?Modality=SR").json()) == 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("NoSuchKey=1", "NoSuchKey"),
        ("00104000=x", "00104000"),
        ("StudyDate=yesterday", "StudyDate"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("includefield=Nonsense", "Nonsense"),
        ("SeriesNumber=one", "SeriesNumber"),
        (f"PatientID={'?' * 2000}", "PatientID"),
    ],
)
def test_a_wrong_query_is_told_what_is_wrong(
    radiologist: Client, db: None, query: str, names: str
) -> None:
    answer = radiologist.get(f"{STUDIES}?{query}")
    assert answer.status_code == 400
    assert names in answer.json()["error"]


def test_nothing_found_is_an_empty_list(radiologist: Client) -> None:
    assert radiologist.get(f"{STUDIES}?PatientID=nobody").json() == []
    assert radiologist.get(f"{STUDIES}/1.2.3/series").status_code == 404


def test_only_dicom_json_is_spoken(radiologist: Client) -> None:
    answer = radiologist.get(STUDIES, headers={"accept": "application/dicom+xml"})
    assert answer.status_code == 406


def test_strangers_are_told_to_sign_in_and_the_desk_sees_no_images(
    client: Client, as_role: Callable[[str], Client], archive: list[str]
) -> None:
    answer = client.get(STUDIES)
    assert answer.status_code == 401
    assert "error" in answer.json()
    refused = as_role("front-desk").get(STUDIES)
    assert refused.status_code == 403
    assert refused.json() == {"error": "You may not do this."}
    assert refused["Cache-Control"] == "private, no-cache"


def test_a_referrer_finds_no_study_of_others(
    as_role: Callable[[str], Client], archive: list[str]
) -> None:
    referrer = as_role("referrer")
    assert referrer.get(STUDIES).json() == []
    assert referrer.get(f"{STUDIES}/{archive[0]}/series").status_code == 404
    assert referrer.get(f"{STUDIES}/{archive[0]}/metadata").status_code == 404


def test_a_page_of_many_studies_takes_few_queries(
    radiologist: Client, archive: list[str], django_assert_max_num_queries: Any
) -> None:
    radiologist.get(STUDIES)
    with django_assert_max_num_queries(5):
        assert len(radiologist.get(STUDIES).json()) == Study.objects.count()
    with django_assert_max_num_queries(5):
        assert len(radiologist.get("/dicom-web/instances").json()) == 5
