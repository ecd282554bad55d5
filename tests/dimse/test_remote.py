"""Another archive, DCMTK's: asked, and fetched from."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pydicom.dataset import Dataset

from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM
from apps.dimse.listener import Listener
from apps.dimse.models import Retrieval
from apps.dimse.services import (
    Wanted,
    find_remote_series,
    find_remote_studies,
    request_retrieval,
)
from apps.dimse.tasks import resume_retrievals, retrieve
from apps.studies.models import Instance, Study
from apps.studies.storage import stored_files
from apps.worklist.models import Device
from tests.dimse.archives import Archive, new_archive
from tests.dimse.conftest import ct_image, keep
from tests.factories import DeviceFactory
from tests.waiting import wait_for

pytestmark = pytest.mark.peer
EXPLICIT = "1.2.840.10008.1.2.1"


def image(uid: str, name: str, charset: str = "", **values: str) -> Dataset:
    made = ct_image(uid, study=values.get("study", "2.25.7"), series=values.get("series", "2.25.8"))
    if charset:
        made.SpecificCharacterSet = charset
    made.PatientName, made.StudyDescription = name, "Head"
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = new_archive(tmp_path / "far")
    made.keep(
        image("2.25.1", "Müller^Jörg", "ISO_IR 100"),
        image("2.25.2", "Müller^Jörg", "ISO_IR 100"),
        image("2.25.3", "Müller^Jörg", "ISO_IR 100", series="2.25.9"),
        image("2.25.4", "Иванова^Анна", "ISO_IR 192", study="2.25.70", series="2.25.80"),
    )
    yield made
    made.stop()


@pytest.fixture
def far(archive: Archive, threads_db: None) -> Device:
    made: Device = DeviceFactory.create(
        ae_title="FAR", host="127.0.0.1", port=archive.port, name="Far archive"
    )
    return made


@pytest.fixture
def running(archive: Archive, listener: Listener, far: Device) -> Device:
    """The archive answers, and knows where our listener is."""
    archive.start(knows_us_at=listener.port)
    return far


def test_names_are_found_and_shown_in_any_character_set(running: Device) -> None:
    found = find_remote_studies(running, Wanted(patient_identifier="PH1"), origin=SYSTEM)
    names = {one.study_instance_uid: one.patient_name for one in found.rows}
    assert names == {"2.25.7": "Müller Jörg", "2.25.70": "Иванова Анна"}
    (event,) = Event.objects.filter(kind=Kind.REMOTE_QUERIED)
    assert event.details == {"keys": ["patient_identifier"], "answers": 2}


def test_a_question_narrows_the_answers(running: Device) -> None:
    far_away = Wanted(patient_identifier="PH1", since=date(2026, 1, 1))
    assert find_remote_studies(running, far_away, origin=SYSTEM).rows == []
    on_that_day = Wanted(study_instance_uid="2.25.7", since=date(2025, 1, 1))
    (one,) = find_remote_studies(running, on_that_day, origin=SYSTEM).rows
    assert (one.study_date, one.description, one.here) == (date(2025, 1, 1), "Head", None)


def test_what_is_here_already_is_marked(running: Device) -> None:
    keep("2.25.1")
    (one,) = find_remote_studies(running, Wanted(study_instance_uid="2.25.7"), origin=SYSTEM).rows
    assert one.here == 1
    series = find_remote_series(running, "2.25.7").rows
    here = {row.series_instance_uid: row.here for row in series}
    assert here == {"2.25.8": 1, "2.25.9": None}


def test_a_study_is_fetched_by_move(running: Device) -> None:
    row = request_retrieval(running, "2.25.7", origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.completed, row.failed, row.remaining) == ("done", 3, 0, 0)
    wait_for(lambda: Instance.objects.count() == 3)
    assert Study.objects.get().patient_name == "Müller^Jörg"
    (event,) = Event.objects.filter(kind=Kind.REMOTE_RETRIEVED)
    assert (event.study_instance_uid, event.details["completed"]) == ("2.25.7", 3)


def test_a_series_is_fetched_by_get_as_it_is_stored_there(running: Device) -> None:
    Device.objects.filter(pk=running.pk).update(retrieve_by_get=True)
    row = request_retrieval(running, "2.25.7", "2.25.8", origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.completed, row.error) == ("done", 2, "")
    instances = {one.sop_instance_uid: one for one in Instance.objects.all()}
    assert set(instances) == {"2.25.1", "2.25.2"}
    one = instances["2.25.1"]
    assert (one.transfer_syntax_uid, one.source) == (EXPLICIT, "FAR")
    assert stored_files().size(one.file_name) == one.size


def test_an_archive_that_does_not_know_us_says_so_once(
    archive: Archive, far: Device, listener: Listener
) -> None:
    archive.start(knows_us_at=None)
    row = request_retrieval(far, "2.25.7", origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("failed", 1)
    assert row.error == "The archive does not know our AE title OPENPACS."


def test_an_archive_that_is_away_is_tried_again(
    archive: Archive, far: Device, listener: Listener
) -> None:
    row = request_retrieval(far, "2.25.7", origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("waiting", 1)
    assert row.error.startswith("Nothing answers at")
    archive.start(knows_us_at=listener.port)
    resume_retrievals()  # not due
    row.refresh_from_db()
    assert row.attempts == 1
    Retrieval.objects.update(next_attempt_at=timezone.now())
    resume_retrievals()
    row.refresh_from_db()
    assert (row.status, row.completed) == ("done", 3)


def test_what_the_archive_does_not_have_is_not_waited_for(running: Device) -> None:
    row = request_retrieval(running, "2.25.404", origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "The archive has nothing of it.")


def test_the_command_asks_and_fetches(running: Device, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dicom", "echo", "FAR")
    call_command("dicom", "find", "FAR", "--id", "PH1")
    call_command("dicom", "retrieve", "FAR", "2.25.70")
    said = capsys.readouterr().out
    assert "The device answered." in said
    assert "2.25.7\t2025-01-01\t\tMüller Jörg" in said
    assert "1 images received" in said
    with pytest.raises(CommandError, match="nothing of it"):
        call_command("dicom", "retrieve", "FAR", "2.25.404")
    with pytest.raises(CommandError, match="No device"):
        call_command("dicom", "echo", "NOBODY")
