"""C-GET: images come back on the association that asked for them."""

import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.dimse import offers
from apps.dimse.listener import Listener
from apps.worklist.models import Device
from tests.dimse.conftest import Tool
from tests.dimse.receiving import CT, as_file, keep, keep_images, ramp, slowly
from tests.dimse.test_move import counts, identifier

JPEG = "CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm"
Answers = list[tuple[Dataset, Dataset | None]]


@pytest.fixture
def device(device: Device) -> Device:
    device.may_retrieve = True
    device.save()
    return device


class Getter:
    """A workstation that gets images."""

    def __init__(
        self,
        port: int,
        *,
        answer: Callable[[str], int] = lambda _uid: 0,
        syntax: str | list[UID] = ExplicitVRLittleEndian,
        storage: str = CT,
    ) -> None:
        self.got: list[Dataset] = []
        self.answer = answer
        entity = AE(ae_title="CT1")
        entity.acse_timeout = entity.dimse_timeout = 10
        entity.add_requested_context(offers.STUDY_GET)
        entity.add_requested_context(storage, syntax)
        self.association: Association = entity.associate(
            "127.0.0.1",
            port,
            ae_title="OPENPACS",
            ext_neg=[build_role(storage, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, self._keep)],
        )
        assert self.association.is_established

    def get(self, level: str = "STUDY", **keys: Any) -> Answers:
        asked = identifier(level, **keys)
        answers = list(self.association.send_c_get(asked, offers.STUDY_GET))
        self.association.release()
        return answers

    @property
    def uids(self) -> list[str]:
        return [str(one.SOPInstanceUID) for one in self.got]

    def _keep(self, event: Any) -> int:
        self.got.append(dcmread(BytesIO(event.encoded_dataset())))
        return self.answer(str(event.request.AffectedSOPInstanceUID))


@pytest.mark.usefixtures("device")
def test_a_study_comes_back_on_the_association_that_asked(listener: Listener) -> None:
    uids = keep_images(3)
    getter = Getter(listener.port)
    final, failed = getter.get(StudyInstanceUID="2.25.7")[-1]
    assert (final.Status, counts(final)) == (0x0000, (None, 3, 0, 0))
    assert failed is None
    assert getter.uids == uids


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("statuses", "final", "expected"),
    [
        ((0x0000, 0xA700, 0x0000), 0xB000, (None, 2, 1, 0)),
        ((0xC000, 0xA700, 0x0122), 0xA702, (None, 0, 3, 0)),
        ((0xB000, 0x0000, 0xB007), 0xB000, (None, 1, 0, 2)),
    ],
)
def test_the_final_answer_counts_what_the_peer_said(
    listener: Listener,
    statuses: tuple[int, ...],
    final: int,
    expected: tuple[int | None, int, int, int],
) -> None:
    uids = keep_images(3)
    getter = Getter(listener.port, answer=dict(zip(uids, statuses, strict=True)).__getitem__)
    answer, _failed = getter.get(StudyInstanceUID="2.25.7")[-1]
    assert (answer.Status, counts(answer)) == (final, expected)


@pytest.mark.usefixtures("device")
def test_a_class_that_was_not_negotiated_fails(listener: Listener) -> None:
    (uid,) = keep_images(1)
    getter = Getter(listener.port, storage="1.2.840.10008.5.1.4.1.1.4")
    final, failed = getter.get(StudyInstanceUID="2.25.7")[-1]
    assert (final.Status, counts(final)) == (0xA702, (None, 0, 1, 0))
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList == uid


@pytest.mark.usefixtures("device")
def test_a_peer_that_takes_implicit_vr_only_gets_that(listener: Listener) -> None:
    keep_images(1)
    getter = Getter(listener.port, syntax=ImplicitVRLittleEndian)
    final, _failed = getter.get(StudyInstanceUID="2.25.7")[-1]
    assert counts(final) == (None, 1, 0, 0)
    (image,) = getter.got
    assert image.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert (image.PatientID, image.PixelData) == ("PH1", bytes(128))


@pytest.mark.usefixtures("device")
def test_a_context_of_several_syntaxes_gets_plain_images(listener: Listener) -> None:
    keep_images(1)
    getter = Getter(listener.port, syntax=[JPEGLosslessSV1, ExplicitVRLittleEndian])
    assert counts(getter.get(StudyInstanceUID="2.25.7")[-1][0]) == (None, 1, 0, 0)
    assert getter.got[0].file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.usefixtures("device")
def test_a_cancelled_get_tells_what_remains(listener: Listener) -> None:
    keep_images(60)
    getter = Getter(listener.port)
    pause = threading.Event()
    association = getter.association

    def cancel_at_the_third(_uid: str) -> int:
        if len(getter.got) == 3:
            association.send_c_cancel(1, query_model=offers.STUDY_GET)
        pause.wait(0.01)
        return 0

    getter.answer = cancel_at_the_third
    final, _failed = getter.get(StudyInstanceUID="2.25.7")[-1]
    assert final.Status == 0xFE00
    remaining, completed, _failed_count, _warned = counts(final)
    assert remaining is not None
    assert 0 < remaining == 60 - completed
    assert len(getter.got) == completed < 10


@pytest.mark.usefixtures("device")
def test_a_slow_peer_is_told_each_second_how_far_we_are(listener: Listener) -> None:
    keep_images(3)
    getter = Getter(listener.port, answer=slowly(0.8))
    *pending, (final, _failed) = getter.get(StudyInstanceUID="2.25.7")
    assert [answer.Status for answer, _ in pending] != []
    assert {counts(answer)[0] for answer, _ in pending} <= {0, 1, 2, 3}
    assert counts(final) == (None, 3, 0, 0)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("keys", [{}, {"StudyInstanceUID": ""}, {"StudyInstanceUID": "*"}])
def test_without_its_unique_key_nothing_comes_back(
    listener: Listener, keys: dict[str, str]
) -> None:
    keep_images(2)
    getter = Getter(listener.port)
    assert [answer.Status for answer, _ in getter.get(**keys)] == [0xA900]
    assert getter.got == []


@pytest.mark.usefixtures("device")
def test_a_get_is_journalled(listener: Listener) -> None:
    keep_images(2)
    Getter(listener.port).get(StudyInstanceUID="2.25.7")
    row = Event.objects.get(kind=Kind.STUDIES_RETRIEVED)
    assert (row.study_instance_uid, row.peer) == ("2.25.7", "CT1")
    assert row.details == {"destination": "CT1", "completed": 2, "failed": []}


@pytest.mark.usefixtures("device")
def test_the_listener_survives_a_peer_that_vanishes_while_it_gets(listener: Listener) -> None:
    keep_images(5)
    getter = Getter(listener.port)

    def hang_up(_uid: str) -> int:
        getter.association.abort()
        return 0

    getter.answer = hang_up
    getter.get(StudyInstanceUID="2.25.7")
    again = Getter(listener.port)
    assert counts(again.get(StudyInstanceUID="2.25.7")[-1][0]) == (None, 5, 0, 0)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2KLosslessRPCL])
def test_a_peer_that_proposes_only_high_throughput_gets_it(listener: Listener, syntax: UID) -> None:
    image = ramp()
    keep(as_file(image))
    getter = Getter(listener.port, syntax=syntax)
    assert counts(getter.get(StudyInstanceUID="2.25.7")[-1][0]) == (None, 1, 0, 0)
    (got,) = getter.got
    assert (got.SOPInstanceUID, got.file_meta.TransferSyntaxUID) == (image.SOPInstanceUID, syntax)
    assert got.pixel_array.tobytes() == image.PixelData


@pytest.mark.peer
@pytest.mark.samples
@pytest.mark.usefixtures("device")
def test_a_compressed_image_reaches_a_peer_that_reads_plain_ones(
    listener: Listener, tool: Tool, tmp_path: Path, samples: Path
) -> None:
    path = samples / "dicom" / "cornerstone" / JPEG
    keep(path.read_bytes())
    original = dcmread(path)
    folder = tmp_path / "got"
    folder.mkdir()
    done = tool(
        "getscu", "-S", "-aet", "CT1", "-aec", "OPENPACS", "-od", folder,
        "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={original.StudyInstanceUID}",
        "127.0.0.1", listener.port,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = folder.iterdir()
    got = dcmread(found)
    assert got.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(got.pixel_array, original.pixel_array)


@pytest.mark.peer
@pytest.mark.usefixtures("device")
def test_dcmtk_gets_two_studies(listener: Listener, tool: Tool, tmp_path: Path) -> None:
    keep_images(3)
    folder = tmp_path / "got"
    folder.mkdir()
    done = tool(
        "getscu", "-v", "-S", "-aet", "CT1", "-aec", "OPENPACS", "-od", folder,
        "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=2.25.7\\2.25.404",
        "127.0.0.1", listener.port,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(folder.iterdir())) == 3
