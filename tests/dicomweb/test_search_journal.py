"""Who searched for what: searches are in the journal, without names."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from apps.audit.later import write_down
from apps.audit.models import Event, Kind
from apps.audit.throttle import Throttle
from apps.dicomweb.views import lookup
from apps.studies.models import Instance
from apps.studies.services import querying
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = pytest.mark.django_db
STUDIES = "/dicom-web/studies"


@pytest.fixture(autouse=True)
def _a_journal_of_its_own(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JOURNAL_DIR = tmp_path / "journal"
    monkeypatch.setattr(querying, "_questions", Throttle(seconds=600, per_hour=200))


@pytest.fixture
def image(keep: Keep) -> Instance:
    return keep(ct_image(PatientID="P1", PatientName="Miller^Anna"))


def journal(kind: Kind) -> list[Event]:
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        write_down()
    return list(Event.objects.filter(kind=kind))


def test_a_search_is_journalled_with_numbers_and_without_names(
    radiologist: Client, image: Instance
) -> None:
    radiologist.get(f"{STUDIES}?PatientID=P1&PatientName=mil*&StudyDate=")
    (row,) = journal(Kind.STUDIES_QUERIED)
    assert row.user is not None
    assert row.user.username == "radiologist"
    del row.details["at"]
    assert row.details == {
        "level": "STUDY",
        "keys": {"PatientID": "P1", "PatientName": "wildcard"},
        "count": 1,
    }


def test_the_same_search_is_journalled_once_of_each_user(
    radiologist: Client, as_role: Callable[[str], Client], image: Instance
) -> None:
    resident = as_role("resident")
    for client in (radiologist, radiologist, resident):
        client.get(f"{STUDIES}?PatientID=P1")
    radiologist.get(f"{STUDIES}?PatientID=P2")
    rows = journal(Kind.STUDIES_QUERIED)
    assert sorted((row.peer, row.details["count"]) for row in rows) == [
        ("radiologist", 0),
        ("radiologist", 1),
        ("resident", 1),
    ]


def test_who_asks_for_one_study_has_looked_at_it_and_did_not_search(
    radiologist: Client, image: Instance
) -> None:
    study = image.series.study
    uid = study.study_instance_uid
    for address in (f"?StudyInstanceUID={uid}", f"/{uid}/series", f"/{uid}/instances"):
        assert radiologist.get(STUDIES + address).status_code == 200
    (row,) = journal(Kind.STUDY_VIEWED)
    assert (row.subject_id, row.study_instance_uid) == (str(study.pk), uid)
    assert journal(Kind.STUDIES_QUERIED) == []


def test_looking_that_could_not_be_written_down_is_the_next_time(
    radiologist: Client, image: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{STUDIES}?StudyInstanceUID={image.series.study.study_instance_uid}"

    def busy(*_arguments: object, **_options: object) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(lookup, "note_viewing", busy)
        assert radiologist.get(address).status_code == 503
    assert radiologist.get(address).status_code == 200
    assert len(journal(Kind.STUDY_VIEWED)) == 1


def test_a_study_that_is_not_here_was_searched_for(radiologist: Client, db: None) -> None:
    assert radiologist.get(f"{STUDIES}?StudyInstanceUID=2.25.1").json() == []
    (row,) = journal(Kind.STUDIES_QUERIED)
    assert row.details["keys"] == {"StudyInstanceUID": "2.25.1"}
    assert journal(Kind.STUDY_VIEWED) == []


def test_what_is_no_search_is_not_journalled(radiologist: Client, db: None) -> None:
    assert radiologist.get(f"{STUDIES}?Nonsense=1").status_code == 400
    assert radiologist.get(f"{STUDIES}/2.25.1/series").status_code == 404
    assert journal(Kind.STUDIES_QUERIED) == []


def test_a_search_asks_the_database_no_more_than_before(
    radiologist: Client, image: Instance, django_assert_num_queries: Any
) -> None:
    radiologist.get(f"{STUDIES}?PatientID=P1")
    with django_assert_num_queries(2):  # who is signed in, and the studies
        radiologist.get(f"{STUDIES}?PatientID=P1&limit=7&AccessionNumber=A")
