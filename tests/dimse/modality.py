"""A modality that stores, asks, and waits at its address to be told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from apps.studies.models import Instance

CT = "1.2.840.10008.5.1.4.1.1.2"
COMMITMENT = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"


class Reports:
    """What was reported to a device, wherever it came in."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.kind: int | None = None
        self.dataset = Dataset()
        self.answer = 0
        self.all: list[Dataset] = []

    def receive(self, event: evt.Event) -> tuple[int, None]:
        self.kind, self.dataset = event.event_type, event.event_information
        self.all.append(self.dataset)
        self.arrived.set()
        return self.answer, None


@contextmanager
def listening(reports: Reports) -> Iterator[int]:
    """CT1 waits for reports; yields its port."""
    entity = AE(ae_title="CT1")
    entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.receive)]
    )
    assert server is not None
    yield server.server_address[1]
    server.shutdown()


def file_of(uid: str) -> Path:
    folder = Path(settings.STORAGES["dicom"]["OPTIONS"]["location"])
    return folder / Instance.objects.get(sop_instance_uid=uid).file_name


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def failures_of(report: Dataset) -> dict[str, int]:
    failed = report.get("FailedSOPSequence", [])
    return {one.ReferencedSOPInstanceUID: one.FailureReason for one in failed}
