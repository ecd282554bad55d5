"""Devices that are sent images: a storage SCP that answers as a test tells it to."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from apps.studies.spool import default_spool
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import ct_image
from tests.factories import DeviceFactory
from tests.servers import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
Answer = Callable[[str], int]  # SOP Instance UID to the status of its C-STORE


class Receiver:
    """`got`: what arrived, as files; `originators`: the C-MOVE that each C-STORE names."""

    def __init__(
        self,
        answer: Answer,
        sop_classes: Sequence[str],
        syntaxes: Sequence[str],
        max_pdu: int,
        tls: ssl.SSLContext | None,
        **strict: Any,
    ) -> None:
        self.got: list[FileDataset] = []
        self.data_sets: list[bytes] = []
        self.originators: list[tuple[str | None, int | None]] = []
        self.associations = 0
        self.hang_up: Callable[[], None] = lambda: None
        self.answer = answer
        self.port = free_port()
        entity = AE(ae_title="DEST")
        entity.maximum_pdu_size = max_pdu
        for name, value in strict.items():
            setattr(entity, name, value)
        for sop_class in sop_classes:
            entity.add_supported_context(sop_class, list(syntaxes))
        self._server: Any = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            ssl_context=tls,
            evt_handlers=[(evt.EVT_C_STORE, self._keep), (evt.EVT_CONN_OPEN, self._count)],
        )

    @property
    def uids(self) -> list[str]:
        return [str(one.SOPInstanceUID) for one in self.got]

    def device(self, **fields: Any) -> Device:
        """The row of this receiver."""
        fields = {"ae_title": "DEST", "host": "127.0.0.1", "may_receive": True, **fields}
        made: Device = DeviceFactory.create(port=self.port, **fields)
        return made

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _count(self, _event: Any) -> None:
        self.associations += 1

    def _keep(self, event: Any) -> int:
        self.hang_up = event.assoc.abort
        asked = event.request
        self.originators.append(
            (asked.MoveOriginatorApplicationEntityTitle, asked.MoveOriginatorMessageID)
        )
        self.got.append(dcmread(BytesIO(event.encoded_dataset())))
        self.data_sets.append(event.encoded_dataset(include_meta=False))
        return self.answer(str(asked.AffectedSOPInstanceUID))


@contextmanager
def receiver(
    answer: Answer = lambda _uid: 0,
    *,
    sop_classes: Sequence[str] = (CT,),
    syntaxes: Sequence[str] = PLAIN,
    max_pdu: int = 16382,
    tls: ssl.SSLContext | None = None,
    **strict: Any,
) -> Iterator[Receiver]:
    """`strict`: further attributes of pynetdicom's AE."""
    made = Receiver(answer, sop_classes, syntaxes, max_pdu, tls, **strict)
    try:
        yield made
    finally:
        made.stop()


def slowly(seconds: float) -> Callable[[str], int]:
    """Success for every image, after so long."""

    def answer(_uid: str) -> int:
        time.sleep(seconds)
        return 0

    return answer


def keep(*files: bytes) -> None:
    """Index files as if the listener had received them."""
    for raw in files:
        default_spool().write([raw])
    ingest([path.name for path in default_spool().waiting()])


def as_file(dataset: Dataset) -> bytes:
    raw = BytesIO()
    dcmwrite(raw, dataset, enforce_file_format=True)
    return raw.getvalue()


def ramp() -> Dataset:
    """An image that has something to compress, of study 2.25.7."""
    made = ct_image("2.25.5000")
    made.Rows = made.Columns = 64
    made.PixelData = np.arange(64 * 64, dtype="<u2").tobytes()
    return made


def keep_images(count: int, *, series: str = "2.25.8", **fields: str) -> list[str]:
    """Index so many images of one series of study 2.25.7; their UIDs in order."""
    made = [ct_image(f"2.25.5{number:03}", series=series) for number in range(count)]
    for number, image in enumerate(made):
        image.InstanceNumber = number
        for keyword, value in fields.items():
            setattr(image, keyword, value)
    keep(*map(as_file, made))
    return [str(image.SOPInstanceUID) for image in made]
