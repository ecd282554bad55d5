"""The demo's images come as from any device: through the DICOM listener, or without it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import create_file_meta

from apps.audit.services import Origin
from apps.dicom.uids import new_uid
from apps.dimse.listener import Listener
from apps.dimse.simulated import phantom_images
from apps.reports.models import Report
from apps.site.demo import images
from apps.site.demo.department import fill_department
from apps.studies.models import Instance, Study
from apps.studies.spool import default_spool
from apps.worklist.models import PerformedStep, ScheduledStep
from tests.servers import free_port
from tests.storage import store_below


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SLICES", 3)
    store_below(tmp_path, settings)


@pytest.fixture
def _listening(transactional_db: None, settings: Any) -> Iterator[None]:
    listener = Listener("127.0.0.1", 0)
    settings.OPENPACS_DICOM_PORT = listener.port
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    yield
    listener.stop()
    thread.join(timeout=20)


@pytest.mark.usefixtures("_listening")
def test_the_simulator_does_three_exams_of_the_demo(origin: Origin) -> None:
    filled = fill_department(origin=origin)
    assert filled.remarks == []
    assert filled.studies == Study.objects.count() == 3
    assert Instance.objects.count() == 9
    assert set(PerformedStep.objects.values_list("status", flat=True)) == {"COMPLETED"}
    done = ScheduledStep.objects.filter(performed_steps__isnull=False)
    assert set(done.values_list("status", flat=True)) == {"COMPLETED"}
    matched = set(Study.objects.values_list("procedures__order__patient__family_name", flat=True))
    assert matched == {"MÜLLER", "SAETANG", "TANAKA"}
    assert Report.objects.get(status="final").order.patient.family_name == "MÜLLER"


@pytest.mark.usefixtures("_listening")
def test_what_the_simulator_cannot_do_is_remarked_and_done_by_hand(
    origin: Origin, tmp_path: Path
) -> None:
    filled = fill_department(origin=origin, images=tmp_path)
    assert filled.remarks[0].startswith("Images are missing: no DICOM images below")
    assert Report.objects.filter(status="final").exists()


@pytest.mark.django_db
def test_without_a_listener_the_images_are_stored_all_the_same(
    origin: Origin, settings: Any
) -> None:
    settings.OPENPACS_DICOM_PORT = free_port()
    filled = fill_department(origin=origin)
    assert filled.remarks == ["The DICOM listener is not running: images were stored without it."]
    assert filled.studies == Study.objects.filter(match="matched").count() == 3
    assert set(Instance.objects.values_list("source", flat=True)) <= {"CT1", "MR1", "US1"}
    assert Instance.objects.count() == 9
    assert not default_spool().waiting()
    done = ScheduledStep.objects.filter(performed_steps__status="COMPLETED")
    assert set(done.values_list("status", flat=True)) == {"COMPLETED"}
    assert done.count() == 3
    for study in Study.objects.all():
        order = study.procedures.get().order
        assert study.patient == order.patient
        assert study.accession_number == order.accession_number
        assert study.patient_name == order.patient.person_name
    assert Report.objects.filter(status="final").exists()


@pytest.mark.django_db
def test_without_a_listener_a_folder_is_taken_too(
    origin: Origin, settings: Any, tmp_path: Path
) -> None:
    settings.OPENPACS_DICOM_PORT = free_port()
    folder = tmp_path / "scanned"
    folder.mkdir()
    for number, image in enumerate(phantom_images("CT", slices=2)):
        image.SOPInstanceUID = new_uid()
        image.file_meta = create_file_meta(
            sop_class_uid=UID(image.SOPClassUID),
            sop_instance_uid=UID(image.SOPInstanceUID),
            transfer_syntax=ExplicitVRLittleEndian,
        )
        dcmwrite(folder / f"{number}.dcm", image, enforce_file_format=True)
    assert fill_department(origin=origin, images=folder).studies == 3
    assert Instance.objects.count() == 6
