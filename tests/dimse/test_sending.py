"""Sending to a device: counts, order, what a refusing or vanishing peer leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from apps.dimse.sending import send_instances
from apps.studies.models import Instance
from apps.studies.spool import default_spool
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import ct_image
from tests.factories import DeviceFactory
from tests.servers import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
Peer = Callable[..., Device]


def keep(*datasets: Dataset) -> None:
    """Index datasets as the listener would."""
    for dataset in datasets:
        from io import BytesIO

        raw = BytesIO()
        dcmwrite(raw, dataset, enforce_file_format=True)
        default_spool().write([raw.getvalue()])
    ingest([path.name for path in default_spool().waiting()])


class Receiver:
    """A storage SCP of pynetdicom that answers as it is told and keeps what it got."""

    def __init__(self, answer: Callable[[Any], int], syntaxes: list[UID]) -> None:
        self.got: list[Any] = []
        self.originators: list[tuple[Any, Any]] = []
        self.answer = answer
        self.port = free_port()
        entity = AE(ae_title="DEST")
        entity.maximum_pdu_size = 16384
        entity.add_supported_context(CT, syntaxes)
        self._server: Any = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._keep)]
        )

    def _keep(self, event: Any) -> int:
        request = event.request
        self.originators.append(
            (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID)
        )
        self.got.append(event.encoded_dataset(include_meta=True))
        return self.answer(event)

    def stop(self) -> None:
        self._server.shutdown()


@contextmanager
def receiver(
    answer: Callable[[Any], int] = lambda _event: 0, syntaxes: list[UID] | None = None
) -> Iterator[Receiver]:
    made = Receiver(answer, syntaxes or [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    try:
        yield made
    finally:
        made.stop()


def device_at(port: int, **fields: Any) -> Device:
    made: Device = DeviceFactory.create(
        ae_title="DEST", host="127.0.0.1", port=port, may_receive=True, **fields
    )
    return made


def images(count: int) -> list[str]:
    """Index so many images of one series; their UIDs."""
    uids = [f"2.25.5{number:03}" for number in range(count)]
    made = []
    for number, uid in enumerate(uids):
        image = ct_image(uid)
        image.InstanceNumber = number
        made.append(image)
    keep(*made)
    return uids


@pytest.mark.usefixtures("threads_db")
def test_images_arrive_in_order_byte_for_byte(tmp_path: Path) -> None:
    uids = images(5)
    with receiver() as peer:
        sent = send_instances(device_at(peer.port), Instance.objects.all())
    assert sent.sent == [(uid, 0) for uid in uids]
    assert (sent.warned, sent.failed) == ([], [])
    for raw, uid in zip(peer.got, uids, strict=True):
        assert dcmread(__import__("io").BytesIO(raw)).SOPInstanceUID == uid
