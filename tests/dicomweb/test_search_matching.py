"""QIDO-RS: empty value matching and multiple value matching (PS3.18 8.3.4.5 and 8.3.4.6)."""

import pytest
from django.test import Client

from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db
EMPTY = "emptyvaluematching=true"
EVERY = "multiplevaluematching=true"


@pytest.fixture
def archive(keep: Keep) -> None:
    """P1 with CT and PT, P2 with CT alone, P3 with MR of which little is known."""
    first = ct_image(
        StudyDate="20260101",
        PatientID="P1",
        AccessionNumber="A1",
        OperatorsName=["Ng^Li", "Roe^Ann"],
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
    )
    keep(first)
    keep(ct_image(StudyInstanceUID=first.StudyInstanceUID, PatientID="P1", Modality="PT"))
    keep(
        ct_image(
            StudyDate="20260202",
            PatientID="P2",
            AccessionNumber="A2",
            OperatorsName="Ng^Li",
            ImageType=["DERIVED", "PRIMARY"],
        )
    )
    keep(
        ct_image(
            StudyDate=None,
            PatientID="P3",
            PatientName="",
            PatientBirthDate="",
            AccessionNumber="",
            ReferringPhysicianName="",
            Modality="MR",
            SeriesNumber=None,
            OperatorsName=None,
        )
    )


def found(client: Client, query: str, kind: str = "studies") -> list[str]:
    answer = client.get(f"/dicom-web/{kind}?{query}")
    assert answer.status_code == 200, answer.content
    assert "Warning" not in answer
    return sorted({row["00100020"]["Value"][0] for row in answer.json()})


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "key",
    [
        *("AccessionNumber", "StudyDate", "PatientName", "PatientBirthDate"),
        *("ReferringPhysicianName", "00080050", "SeriesNumber"),
    ],
)
def test_two_quotation_marks_ask_for_what_has_no_value(radiologist: Client, key: str) -> None:
    assert found(radiologist, f"{key}=%22%22&{EMPTY}") == ["P3"]
    assert found(radiologist, f"{key}=%22%22&{EMPTY}", "series") == ["P3"]


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("OperatorsName=%22%22", ["P3"]),
        ("ImageType=%22%22", ["P3"]),
        ("RequestAttributesSequence=%22%22", ["P1", "P2", "P3"]),
    ],
)
def test_stored_headers_are_asked_for_what_is_empty_too(
    radiologist: Client, query: str, expected: list[str]
) -> None:
    assert found(radiologist, f"PatientID=P*&{query}&{EMPTY}") == expected


@pytest.mark.usefixtures("archive")
def test_an_object_without_pixels_is_found_as_one_without_frames(
    radiologist: Client, keep: Keep
) -> None:
    bare = ct_image(PatientID="P4", Modality="SR")
    for name in ("PixelData", "Rows", "Columns"):
        del bare[name]
    keep(bare)
    assert found(radiologist, f"NumberOfFrames=%22%22&{EMPTY}", "instances") == ["P4"]
    assert "P4" not in found(radiologist, "NumberOfFrames=1", "instances")


@pytest.mark.usefixtures("archive")
def test_without_the_parameter_quotation_marks_are_a_value(radiologist: Client) -> None:
    assert found(radiologist, "AccessionNumber=%22%22") == []


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("query", "expected", "all_of_them"),
    [
        ("ModalitiesInStudy=CT,PT", ["P1", "P2"], ["P1"]),
        ("ModalitiesInStudy=PT%5CCT", ["P1", "P2"], ["P1"]),
        ("PatientID=P*&OperatorsName=ng%5Eli%5Croe%5Eann", ["P1", "P2"], ["P1"]),
        ("PatientID=P*&ImageType=PRIMARY,ORIGINAL", ["P1", "P2"], ["P1"]),
        # Of one value there cannot be two: this is a list still.
        ("AccessionNumber=A1%5CA2", ["P1", "P2"], ["P1", "P2"]),
    ],
)
def test_several_values_have_to_be_there_all_where_that_is_asked_for(
    radiologist: Client, query: str, expected: list[str], all_of_them: list[str]
) -> None:
    assert found(radiologist, query) == expected
    assert found(radiologist, f"{query}&{EVERY}") == all_of_them


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "query", [f"ModalitiesInStudy=C*,PT&{EVERY}", "emptyvaluematching=1", f"{EVERY}s"]
)
def test_what_cannot_be_meant_is_refused(radiologist: Client, query: str) -> None:
    assert radiologist.get(f"/dicom-web/studies?{query}").status_code == 400


def test_a_worklist_says_that_it_does_not_match_so(radiologist: Client) -> None:
    answer = radiologist.get(f"/dicom-web/workitems?{EMPTY}&{EVERY}")
    assert answer.status_code == 204
    assert answer["Warning"] == (
        "299 http://testserver/dicom-web: The emptyvaluematching parameter is not supported. "
        "Empty Value Matching has not been performed., "
        "299 http://testserver/dicom-web: The multiplevaluematching parameter is not supported. "
        "Multiple Value Matching has not been performed."
    )
