"""What a device is sent: as stored where it takes that, else in what it can read."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from apps.dicom.compressing import COMPRESSED
from apps.dimse import transcoding
from apps.dimse.sending import send_instances
from apps.dimse.suboperations import Unanswered
from apps.studies.models import Instance
from tests.dimse.conftest import ct_image
from tests.dimse.receiving import PLAIN, as_file, keep, keep_images, ramp, receiver
from tests.factories import DeviceFactory
from tests.servers import free_port
from tests.waiting import wait_for_port

EVERYTHING = (*PLAIN, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
JPEG = "CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm"
BASELINE = "CTImage.dcm_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm"
pytestmark = pytest.mark.usefixtures("threads_db")


@pytest.fixture(autouse=True, scope="module")
def _no_process_left() -> Iterator[None]:
    yield
    transcoding._workshop.close()


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """DCMTK's storage SCP, which keeps what it gets in a folder; yields its port."""
    port = free_port()
    command = ["/usr/bin/storescp", *options, "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.samples
@pytest.mark.parametrize("name", [JPEG, BASELINE])
def test_what_the_device_takes_arrives_bit_for_bit(samples: Path, name: str) -> None:
    path = samples / "dicom" / "cornerstone" / name
    keep(path.read_bytes())
    with receiver(syntaxes=EVERYTHING) as peer:
        send_instances(peer.device(), Instance.objects.all())
    (got,) = peer.got
    assert got.file_meta.TransferSyntaxUID == dcmread(path).file_meta.TransferSyntaxUID
    raw = path.read_bytes()
    assert peer.data_sets == [raw[144 + int.from_bytes(raw[140:144], "little") :]]


@pytest.mark.samples
@pytest.mark.parametrize(
    ("offered", "taken"), [(PLAIN, PLAIN[0]), ([ImplicitVRLittleEndian], ImplicitVRLittleEndian)]
)
def test_compressed_images_arrive_plain_where_nothing_else_is_taken(
    samples: Path, offered: list[str], taken: str
) -> None:
    path = samples / "dicom" / "cornerstone" / JPEG
    keep(path.read_bytes())
    with receiver(syntaxes=offered) as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sent.failed == []
    (got,) = peer.got
    assert got.file_meta.TransferSyntaxUID == taken
    assert np.array_equal(got.pixel_array, dcmread(path).pixel_array)


def test_plain_images_arrive_implicit_where_nothing_else_is_taken() -> None:
    uids = keep_images(2)
    with receiver(syntaxes=[ImplicitVRLittleEndian]) as peer:
        send_instances(peer.device(), Instance.objects.all())
    assert peer.uids == uids
    assert {one.file_meta.TransferSyntaxUID for one in peer.got} == {ImplicitVRLittleEndian}


@pytest.mark.parametrize("syntax", sorted(COMPRESSED))
def test_images_are_compressed_for_a_device_that_wants_it(syntax: str) -> None:
    image = ramp()
    keep(as_file(image))
    with receiver(syntaxes=[*PLAIN, syntax]) as peer:
        send_instances(peer.device(preferred_syntax=str(syntax)), Instance.objects.all())
    (got,) = peer.got
    assert got.file_meta.TransferSyntaxUID == syntax
    assert got.pixel_array.tobytes() == image.PixelData


@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2KLosslessRPCL, JPEGLosslessSV1])
def test_a_device_that_takes_nothing_else_is_sent_it(syntax: str) -> None:
    image = ramp()
    keep(as_file(image))
    with receiver(syntaxes=[syntax]) as peer:
        sent = send_instances(peer.device(accepted_syntaxes=[str(syntax)]), Instance.objects.all())
    assert sent.failed == []
    (got,) = peer.got
    assert (got.SOPInstanceUID, got.file_meta.TransferSyntaxUID) == (image.SOPInstanceUID, syntax)
    assert got.pixel_array.tobytes() == image.PixelData


def test_what_cannot_be_compressed_goes_as_it_is() -> None:
    image = ct_image("2.25.5000")
    image.BitsAllocated = image.BitsStored = 64
    image.HighBit, image.Rows, image.Columns = 63, 4, 4
    keep(as_file(image))
    with receiver(syntaxes=[*PLAIN, RLELossless, JPEGLSLossless]) as peer:
        device = peer.device(preferred_syntax=str(JPEGLSLossless))
        sent = send_instances(device, Instance.objects.all())
    assert sent.failed == []
    assert peer.got[0].file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_a_device_is_offered_only_what_its_profile_says() -> None:
    keep_images(1)
    with receiver() as peer:
        device = peer.device(accepted_syntaxes=[str(ImplicitVRLittleEndian)])
        send_instances(device, Instance.objects.all())
    assert peer.got[0].file_meta.TransferSyntaxUID == ImplicitVRLittleEndian


@pytest.mark.samples
def test_what_cannot_be_decoded_fails_alone(
    samples: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = (samples / "dicom" / "cornerstone" / BASELINE).read_bytes()
    uid = str(dcmread(samples / "dicom" / "cornerstone" / BASELINE).SOPInstanceUID)
    at = raw.index(b"\xff\xd8\xff")
    keep(raw[: at + 2] + bytes(2000) + raw[at + 2002 :])
    (other,) = keep_images(1)
    with receiver() as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sent.failed == [(uid, Unanswered.UNREADABLE)]
    assert sent.sent == [(other, 0)]
    assert uid in caplog.text


@pytest.mark.peer
@pytest.mark.samples
@pytest.mark.parametrize(
    ("option", "syntax"),
    [
        ("+xa", JPEGLosslessSV1),
        ("+x=", ExplicitVRLittleEndian),
        ("+xi", ImplicitVRLittleEndian),
    ],
)
def test_storescp_gets_what_it_prefers(
    samples: Path, tmp_path: Path, option: str, syntax: str
) -> None:
    path = samples / "dicom" / "cornerstone" / JPEG
    keep(path.read_bytes())
    folder = tmp_path / "got"
    folder.mkdir()
    with storescp(folder, option) as port:
        device = DeviceFactory.create(ae_title="DEST", port=port, may_receive=True)
        sent = send_instances(device, Instance.objects.all())
    assert sent.failed == []
    (found,) = folder.iterdir()
    got = dcmread(found)
    assert got.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(got.pixel_array, dcmread(path).pixel_array)
