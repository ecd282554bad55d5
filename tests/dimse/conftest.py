"""A listener of ours on a free port, foreign tools that call it."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dsutils import create_file_meta

from apps.audit.throttle import Throttle
from apps.dimse.limits import Limits
from apps.dimse.listener import Listener
from apps.dimse.services import noting
from apps.studies.services import querying
from apps.studies.spool import Spool, default_spool
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.modality import Reports, listening
from tests.dimse.orthanc import Orthanc
from tests.factories import DeviceFactory
from tests.storage import store_below

Start = Callable[..., Listener]
Dial = Callable[..., Association]
Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    """The site's spool, below a storage folder of this test alone."""
    return store_below(tmp_path, settings)


@pytest.fixture(autouse=True)
def _fresh_throttles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "_rejections", Throttle(seconds=60, per_hour=200))
    monkeypatch.setattr(noting, "_questions", Throttle(seconds=600, per_hour=200))
    monkeypatch.setattr(querying, "_questions", Throttle(seconds=600, per_hour=200))


@pytest.fixture
def threads_db(transactional_db: None) -> None:
    """A database that the listener's threads see."""


@pytest.fixture
def start(threads_db: None) -> Iterator[Start]:
    """Starts listeners; all are stopped at the end of the test."""
    running: list[tuple[Listener, threading.Thread]] = []

    def begin(*, encrypted: bool = False, **limits: Any) -> Listener:
        listener = Listener(
            "127.0.0.1",
            0,
            tls_port=0 if encrypted else None,
            limits=Limits(**{"linger_seconds": 0.3, **limits}),
        )
        thread = threading.Thread(target=listener.serve_forever)
        thread.start()
        running.append((listener, thread))
        return listener

    yield begin
    for listener, thread in running:
        listener.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def listener(start: Start) -> Listener:
    return start()


@pytest.fixture
def orthanc(listener: Listener, tmp_path: Path) -> Iterator[Orthanc]:
    """A running Orthanc that knows our listener."""
    made = Orthanc(tmp_path, knows_us_at=listener.port)
    yield made
    made.stop()


@pytest.fixture
def device(threads_db: None) -> Device:
    """A modality that may store, read the worklist and report steps."""
    made: Device = DeviceFactory.create(ae_title="CT1", name="Scanner", host="127.0.0.1")
    return made


@pytest.fixture
def dial(device: Device) -> Iterator[Dial]:
    """Associations of pynetdicom to a listener, as the device."""
    opened: list[Association] = []

    def associate(
        listener: Listener, *sop_classes: str, calling: str = "CT1", called: str = "OPENPACS"
    ) -> Association:
        entity = AE(ae_title=calling)
        entity.acse_timeout = entity.dimse_timeout = 10
        for sop_class in sop_classes or ("1.2.840.10008.1.1",):
            entity.add_requested_context(sop_class)
        association = entity.associate("127.0.0.1", listener.port, ae_title=called)
        opened.append(association)
        return association

    yield associate
    for association in opened:
        if association.is_established:
            association.release()


@pytest.fixture
def tool() -> Tool:
    """Runs a program of DCMTK, never its namesake of pynetdicom."""

    def run(name: str, *arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [f"/usr/bin/{name}", *map(str, arguments)],
            env={**os.environ, "TCP_NODELAY": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def reports() -> Reports:
    """What was reported to the device about storage commitment."""
    return Reports()


@pytest.fixture
def modality(reports: Reports, device: Device) -> Iterator[None]:
    """The device itself, waiting for reports at its own address."""
    with listening(reports) as port:
        Device.objects.filter(pk=device.pk).update(port=port)
        yield


def ct_image(uid: str, *, study: str = "2.25.7", series: str = "2.25.8") -> Dataset:
    """A tiny CT image of a patient nobody knows."""
    image = Dataset()
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    image.SOPInstanceUID = uid
    image.PatientName, image.PatientID = "Phantom^Test", "PH1"
    image.PatientBirthDate, image.PatientSex = "", ""
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.StudyDate, image.StudyTime, image.AccessionNumber = "20250101", "120000", ""
    image.StudyID, image.ReferringPhysicianName = "", ""
    image.Modality, image.SeriesNumber, image.InstanceNumber = "CT", 1, 1
    image.Rows = image.Columns = 8
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = bytes(128)
    image["PixelData"].VR = "OW"
    image.file_meta = create_file_meta(
        sop_class_uid=image.SOPClassUID,
        sop_instance_uid=UID(uid),
        transfer_syntax=ExplicitVRLittleEndian,
    )
    return image


def keep(*uids: str, **details: str) -> None:
    """Stored and indexed when this returns."""
    spool, names = default_spool(), []
    for uid in uids:
        target = BytesIO()
        ct_image(uid, **details).save_as(target, enforce_file_format=True)
        names.append(spool.write([target.getvalue()]).name)
    ingest(names)
