"""QIDO-RS: pages, their order, and what is too much."""

from typing import Any

import pytest
from django.test import Client

from apps.dicomweb import queries
from apps.dicomweb.views import searching
from apps.studies.models import Instance
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db
UIDS = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}


@pytest.fixture
def archive(keep: Keep) -> list[Instance]:
    """Seven instances in six series of five studies; two without a date, two of one day."""
    days = ["20260101", "20260101", None, None, "20260303"]
    images = [ct_image(StudyDate=day, InstanceNumber=None, SeriesNumber=None) for day in days]
    last = images[-1]
    images.append(ct_image(StudyInstanceUID=last.StudyInstanceUID, StudyDate="20260303"))
    images.append(
        ct_image(
            StudyInstanceUID=last.StudyInstanceUID,
            SeriesInstanceUID=last.SeriesInstanceUID,
            StudyDate="20260303",
        )
    )
    return [keep(one) for one in images]


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(("kind", "number"), [("studies", 5), ("series", 6), ("instances", 7)])
def test_pages_are_disjoint_and_complete_with_studies_of_no_date(
    radiologist: Client, kind: str, number: int, size: int
) -> None:
    found: list[str] = []
    for offset in range(0, 9, size):
        answer = radiologist.get(f"/dicom-web/{kind}?limit={size}&offset={offset}")
        page = answer.json()
        found += [row[UIDS[kind]]["Value"][0] for row in page]
        assert ("Warning" in answer) == (offset + size < number)
    assert len(found) == len(set(found)) == number
    whole = radiologist.get(f"/dicom-web/{kind}").json()
    assert [row[UIDS[kind]]["Value"][0] for row in whole] == found


@pytest.mark.usefixtures("archive")
def test_more_than_the_most_is_cut_off_and_said(
    radiologist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_LIMIT", 3)
    for query in ("", "?limit=1000"):
        answer = radiologist.get(f"/dicom-web/studies{query}")
        assert len(answer.json()) == 3
        said = "There are additional results that can be requested"
        assert answer["Warning"] == f"299 http://testserver/dicom-web: {said}"


@pytest.mark.usefixtures("archive")
def test_headers_are_not_looked_through_for_ever(
    radiologist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SECONDS", 0)
    answer = radiologist.get("/dicom-web/instances?BitsStored=8&Modality=CT")
    assert answer.status_code == 413
    assert "headers" in answer.json()["error"] or "too long" in answer.json()["error"]


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("query", ["offset=100", "limit=0"])
def test_an_empty_page_is_an_empty_list(radiologist: Client, query: str) -> None:
    assert radiologist.get(f"/dicom-web/studies?{query}").json() == []


def test_below_what_is_unknown_there_is_nothing_to_search(
    radiologist: Client, archive: list[Instance]
) -> None:
    series = archive[0].series
    study, uid = series.study.study_instance_uid, series.series_instance_uid
    other = archive[-1].series
    assert radiologist.get(f"/dicom-web/studies/{study}/series/{uid}/instances").status_code == 200
    for path in (
        "studies/1.2.3/series",
        "studies/*/series",
        "studies/%00/series",
        f"studies/{study},{study}/instances",
        f"studies/{study}%5C{study}/instances",
        f"studies/{study}/series/*/instances",
        "studies/1.2.3/instances",
        f"studies/1.2.3/series/{uid}/instances",
        f"studies/{study}/series/1.2.3/instances",
        f"studies/{other.study.study_instance_uid}/series/{uid}/instances",
    ):
        answer = radiologist.get(f"/dicom-web/{path}")
        assert answer.status_code == 404, path
        assert "error" in answer.json()
    assert radiologist.get(f"/dicom-web/studies/{study}/series?Modality=US").json() == []


def test_every_level_and_form_answers_its_parents(
    radiologist: Client, archive: list[Instance]
) -> None:
    series = archive[-1].series
    study = f"studies/{series.study.study_instance_uid}"
    own = {"0020000D", "00100010", "00100020", "00080061", "00081190"}
    below = {"0020000E", "00080060", "00201209"}
    for path, tags in {
        "studies": own,
        "series": own | below,
        f"{study}/series": own | below,
        "instances": own | below | {"00080018", "00080016", "00280010"},
        f"{study}/instances": own | below | {"00080018", "00280008"},
        f"{study}/series/{series.series_instance_uid}/instances": own | below | {"00200013"},
    }.items():
        rows = radiologist.get(f"/dicom-web/{path}").json()
        assert rows
        assert all(tags <= row.keys() for row in rows), path
    assert "0020000E" not in radiologist.get("/dicom-web/studies").json()[0]


@pytest.mark.usefixtures("archive")
def test_a_search_takes_two_statements_for_somebody_known(
    radiologist: Client, django_assert_num_queries: Any
) -> None:
    radiologist.get("/dicom-web/studies")
    for kind in UIDS:
        with django_assert_num_queries(2):  # the user, the page
            radiologist.get(f"/dicom-web/{kind}?PatientID=P0000001")


@pytest.mark.parametrize(
    ("dates", "number"),
    [("20260101", 1), ("20251231-20260101", 1), ("20260102-", 1), ("-20260101", 1), ("2026", 2)],
)
def test_series_are_found_by_the_date_their_step_began(
    radiologist: Client, keep: Keep, dates: str, number: int
) -> None:
    keep(ct_image(PerformedProcedureStepStartDate="20260101"))
    keep(
        ct_image(
            PerformedProcedureStepStartDate="20260102", PerformedProcedureStepStartTime="101112"
        )
    )
    keep(ct_image())
    found = radiologist.get(f"/dicom-web/series?PerformedProcedureStepStartDate={dates}").json()
    assert len(found) == number
