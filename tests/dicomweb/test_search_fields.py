"""QIDO-RS: what answers hold, from the index and from stored headers."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Correction
from apps.studies.services import correct_study
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db
STUDIES = "/dicom-web/studies"


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def requested(step: str, procedure: str) -> list[Dataset]:
    return [item(ScheduledProcedureStepID=step, RequestedProcedureID=procedure)]


@pytest.fixture
def archive(keep: Keep) -> list[str]:
    """Two studies of P1 with one and two series, and one of P2."""
    first = ct_image(
        StudyDate="20260101",
        PatientID="P1",
        PatientComments="likes jazz",
        RequestAttributesSequence=requested("S1", "R1"),
    )
    second = ct_image(StudyDate="20260202", PatientID="P1", SeriesNumber=1)
    again = ct_image(
        StudyInstanceUID=second.StudyInstanceUID,
        PatientID="P1",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        RequestAttributesSequence=requested("S2", "R2"),
    )
    third = ct_image(StudyDate="20260303", PatientID="P2", PatientName=None)
    for one in (first, second, again, third):
        keep(one)
    return [str(one.StudyInstanceUID) for one in (first, second, third)]


def answers(client: Client, address: str) -> list[dict[str, Any]]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()
    return found


def error(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 400, answer.content
    return str(answer.json()["error"])


@pytest.mark.parametrize("field", ["BitsAllocated", "00280100", "BitsAllocated,BitsStored"])
def test_a_field_beyond_the_index_is_read_from_the_header(
    radiologist: Client, archive: list[str], field: str
) -> None:
    plain, asked = (
        answers(radiologist, f"/dicom-web/instances?PatientID=P2{more}")[0]
        for more in ("", f"&includefield={field}")
    )
    assert "00280100" not in plain
    assert asked["00280100"] == {"vr": "US", "Value": [16]}
    assert plain.items() <= asked.items()


def test_a_field_that_the_header_does_not_have_is_empty(
    radiologist: Client, archive: list[str]
) -> None:
    found = answers(radiologist, f"{STUDIES}?includefield=PatientComments&includefield=PatientAge")
    assert [row["00104000"] for row in found] == [
        {"vr": "LT"},
        {"vr": "LT"},
        {"vr": "LT", "Value": ["likes jazz"]},
    ]
    assert [row["00101010"] for row in found] == [{"vr": "AS"}] * 3


@pytest.mark.parametrize(
    "field",
    [
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "00400275.00400009",
        "00400275.ScheduledProcedureStepID",
    ],
)
def test_a_path_into_a_sequence_answers_that_of_it(
    radiologist: Client, archive: list[str], field: str
) -> None:
    (row,) = answers(radiologist, f"/dicom-web/series?StudyDate=20260101&includefield={field}")
    inner = {"00400009": {"vr": "SH", "Value": ["S1"]}}
    assert row["00400275"] == {"vr": "SQ", "Value": [inner]}


def test_a_whole_sequence_has_all_of_its_attributes(
    radiologist: Client, archive: list[str]
) -> None:
    fields = "00400275.00400009,RequestAttributesSequence"
    (row,) = answers(radiologist, f"/dicom-web/series?StudyDate=20260101&includefield={fields}")
    assert sorted(row["00400275"]["Value"][0]) == ["00400009", "00401001"]


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("RequestAttributesSequence.ScheduledProcedureStepID=S2&StudyDate=2026-", 1),
        ("00400275.00400009=S*&StudyDate=2026-", 2),
        ("00400275.00400009=S1&00400275.00401001=R2&StudyDate=2026-", 0),
        ("00400275.00400009=S2&00400275.00401001=R2&Modality=CT", 1),
        ("PatientComments=*jazz&PatientID=P1", 1),
        ("PatientComments=*&PatientID=P1", 3),
        ("BitsAllocated=16&PatientID=P1", 3),
        ("BitsAllocated=8&PatientID=P1", 0),
    ],
)
def test_keys_beyond_the_index_are_compared_with_headers(
    radiologist: Client, archive: list[str], key: str, number: int
) -> None:
    found = answers(radiologist, f"/dicom-web/series?{key}")
    assert len(found) == number
    # What was asked for is answered, too (PS3.18 10.6.3.3).
    asked = "00400275" if "00400275" in key or "Request" in key else None
    assert all(row[asked]["vr"] == "SQ" for row in found if asked)


def test_pages_of_what_headers_decide_are_complete(radiologist: Client, archive: list[str]) -> None:
    address = "/dicom-web/series?BitsAllocated=16&Modality=CT&limit=1&offset="
    found = [row for start in range(6) for row in answers(radiologist, f"{address}{start}")]
    assert len({row["0020000E"]["Value"][0] for row in found}) == len(found) == 4


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("PatientComments=x", "PatientComments: not in the index"),
        ("00400275.00400009=S1", "00400275.00400009: not in the index"),
        ("PatientID=P1&00400275=S1", "RequestAttributesSequence: a sequence"),
        ("PatientID=P1&PatientName.Modality=CT", "PatientName.Modality"),
        ("PatientID=P1&RequestAttributesSequence.Nonsense=1", "RequestAttributesSequence.Nonsense"),
        ("NumberOfPatientRelatedStudies=1", "NumberOfPatientRelatedStudies"),
        ("Nonsense=1&0008005=2", "0008005, Nonsense"),
        ("PatientID=P1&PerformedProcedureStepStartTime=10", "PerformedProcedureStepStartTime"),
        ("PatientID=P1&BitsAllocated=many", "BitsAllocated"),
        ("fuzzymatching=perhaps", "fuzzymatching"),
        ("includefield=00080060,Nonsense", "Nonsense"),
        ("includefield=PatientName.Modality", "PatientName.Modality"),
    ],
)
def test_what_cannot_be_asked_is_told_by_name(
    radiologist: Client, archive: list[str], query: str, names: str
) -> None:
    assert names in error(radiologist, f"{STUDIES}?{query}")


def test_a_key_that_the_path_has_is_not_said_twice(radiologist: Client, archive: list[str]) -> None:
    address = f"{STUDIES}/{archive[0]}/series?0020000d={archive[1]}"
    assert "0020000d" in error(radiologist, address)


def test_all_is_everything_the_header_has_but_what_lower_levels_differ_in(
    radiologist: Client, archive: list[str]
) -> None:
    study, series, instance = (
        answers(radiologist, f"/dicom-web/{kind}?PatientID=P2&includefield=all")[0]
        for kind in ("studies", "series", "instances")
    )
    assert study["00280100"]["Value"] == [16]
    assert not {"0020000E", "00080018", "00080060"} & study.keys()
    assert "0020000E" in series
    assert "00080018" not in series
    assert instance["00280101"]["Value"] == [12]
    assert instance["00080005"]["Value"] == ["ISO_IR 192"]
    assert study["00201200"]["Value"] == [1]
    assert list(instance) == sorted(instance)


def test_large_values_are_given_as_the_address_of_their_instance(
    radiologist: Client, keep: Keep
) -> None:
    row = keep(ct_image(EncapsulatedDocument=b"x" * 40_000, PatientID="P9"))
    (found,) = answers(radiologist, f"{STUDIES}?PatientID=P9&includefield=00420011")
    address = found["00420011"]["BulkDataURI"]
    assert address.endswith(f"/instances/{row.sop_instance_uid}/bulkdata/00420011")
    got = radiologist.get(address, headers={"accept": "application/octet-stream"})
    assert len(b"".join(got)) == 40_000  # type: ignore[arg-type]


def test_counts_and_classes_are_answered_where_asked(
    radiologist: Client, archive: list[str]
) -> None:
    fields = "NumberOfPatientRelatedStudies,00201202,00201204,SOPClassesInStudy"
    found = answers(radiologist, f"{STUDIES}?PatientID=P1&includefield={fields}")
    assert [
        [row[tag]["Value"][0] for tag in ("00201200", "00201202", "00201204", "00201208")]
        for row in found
    ] == [[2, 3, 3, 2], [2, 3, 3, 1]]
    assert [len(row["00080062"]["Value"]) for row in found] == [2, 1]
    assert "00201200" not in answers(radiologist, STUDIES)[0]


def test_a_referrer_counts_own_studies_only(
    as_role: Callable[[str], Client], archive: list[str]
) -> None:
    referrer = as_role("referrer")
    assert answers(referrer, f"{STUDIES}?includefield=NumberOfPatientRelatedStudies") == []


def test_corrections_are_seen_in_fields_of_the_header(
    radiologist: Client, keep: Keep, origin: Origin
) -> None:
    row = keep(ct_image(PatientComments="wrong", PatientID="P8"))
    correct_study(
        row.series.study,
        changes=[Change("00104000", "LT", ["right"])],
        reason="typing",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    address = f"{STUDIES}?PatientID=P8&includefield=PatientComments"
    assert answers(radiologist, address)[0]["00104000"]["Value"] == ["right"]
    assert len(answers(radiologist, f"{address}&PatientComments=right")) == 1
    assert answers(radiologist, f"{address}&PatientComments=wrong") == []


def test_no_instance_speaks_for_the_series_of_a_study(
    radiologist: Client, archive: list[str], django_assert_max_num_queries: Any
) -> None:
    fields = "SeriesInstanceUID,SOPInstanceUID,Modality"
    (row,) = answers(radiologist, f"{STUDIES}?PatientID=P2&includefield={fields}")
    assert not {"0020000E", "00080018", "00080060"} & row.keys()
    (row,) = answers(radiologist, f"{STUDIES}?PatientID=P2&includefield=Rows")
    assert row["00280010"]["Value"] == [4]


@pytest.mark.parametrize(
    ("modalities", "number"),
    [("", 2), ("CT", 1), ("US", 1), ("US,MR", 1), ("CT\\MR", 2), ("PT", 0), ("*", 2), ("C?", 1)],
)
def test_modalities_in_study_are_compared_one_by_one(
    radiologist: Client, keep: Keep, modalities: str, number: int
) -> None:
    keep(ct_image())
    second = ct_image(Modality="MR")
    keep(second)
    keep(ct_image(StudyInstanceUID=second.StudyInstanceUID, Modality="US"))
    found = answers(radiologist, f"{STUDIES}?ModalitiesInStudy={modalities}")
    assert len(found) == number


def test_headers_are_read_for_a_page_together(
    radiologist: Client, archive: list[str], django_assert_max_num_queries: Any
) -> None:
    answers(radiologist, STUDIES)
    with django_assert_max_num_queries(4):  # the user, the page, its first instances, headers
        answers(radiologist, f"{STUDIES}?includefield=PatientComments")
