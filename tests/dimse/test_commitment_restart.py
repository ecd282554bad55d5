"""A storage commitment outlives the process that acknowledged it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, evt

from openpacs.install import ROOT
from tests.dimse.conftest import Tool, ct_image
from tests.migrated import lay_into
from tests.servers import free_port
from tests.waiting import wait_for_port

pytestmark = pytest.mark.fault
CT = "1.2.840.10008.5.1.4.1.1.2"
COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
SET_UP = """
from apps.worklist.models import Device
Device.objects.create(name="Scanner", ae_title="CT1", host="127.0.0.1", port={port})
"""
# Verified first; then the association that asked is given its moment.
SWEEPS = """
import time
from apps.dimse.tasks import settle_commitments
settle_commitments()
time.sleep(5)
settle_commitments()
"""


class House:
    """A home of its own, without a worker: only what was written down is left after a kill."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.environment: Mapping[str, str] = {
            **os.environ,
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "openpacs.settings",
            "OPENPACS_HOME": str(home),
            "OPENPACS_DICOM_PORT": str(self.port),
            "OPENPACS_BIND": "127.0.0.1",
        }

    def run(self, script: str) -> None:
        command = [sys.executable, "manage.py", "shell", "-c", script]
        subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=120
        )

    def listen(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "manage.py", "rundimse"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_port(self.port, seconds=60)
        return process


class Modality:
    """A device that asks, and waits at its address for the report."""

    def __init__(self) -> None:
        self.reported = threading.Event()
        self.report = Dataset()
        entity = AE(ae_title="CT1")
        entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.receive)]
        )
        assert server is not None
        self.server, self.port = server, server.server_address[1]

    def receive(self, event: evt.Event) -> tuple[int, None]:
        self.report = event.event_information
        self.reported.set()
        return 0, None

    def ask(self, port: int, uid: str) -> int:
        entity = AE(ae_title="CT1")
        entity.add_requested_context(COMMITMENT)
        association = entity.associate("127.0.0.1", port, ae_title="OPENPACS")
        request, item = Dataset(), Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid
        request.TransactionUID, request.ReferencedSOPSequence = "2.25.55", Sequence([item])
        status, _reply = association.send_n_action(request, 1, COMMITMENT, INSTANCE)
        return int(status.Status)


@pytest.fixture
def modality() -> Iterator[Modality]:
    made = Modality()
    yield made
    made.server.shutdown()


def test_a_listener_killed_after_its_answer_leaves_a_report_to_the_next_sweep(
    modality: Modality, tmp_path: Path, tool: Tool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lay_into(home)
    house = House(home)
    house.run(SET_UP.format(port=modality.port))
    listener = house.listen()
    image = tmp_path / "image.dcm"
    ct_image("2.25.1").save_as(image, enforce_file_format=True)
    sent = tool("storescu", "-aet", "CT1", "-aec", "OPENPACS", "127.0.0.1", house.port, image)
    assert sent.returncode == 0, sent.stderr
    assert modality.ask(house.port, "2.25.1") == 0
    os.killpg(listener.pid, signal.SIGKILL)
    listener.wait(timeout=10)
    assert not modality.reported.is_set()
    house.run(SWEEPS)
    assert modality.reported.wait(10)
    assert modality.report.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.1"
    assert "FailedSOPSequence" not in modality.report
