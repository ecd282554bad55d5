"""Which classes and transfer syntaxes images may come in, and that they stay as they came."""

import zlib
from typing import Any

import pytest
from pydicom.uid import UID, AllTransferSyntaxes
from pynetdicom import AE

from apps.dicom.deflated import inflate
from apps.dicom.part10 import leading_uids
from apps.dimse import offers
from apps.dimse.listener import Listener
from apps.dimse.proposals import Offer, Proposal
from apps.studies.models import Instance
from apps.studies.spool import Spool
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, ct_image

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, JPIP_DEFLATED = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"
JPEG, J2K = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"
STORED = [str(uid) for uid in AllTransferSyntaxes if str(uid) not in offers.REFUSED_SYNTAXES]


@pytest.mark.parametrize("syntax", [*STORED, "1.2.840.10008.1.2.4.110", "1.2.3.4.5"])
def test_images_may_come_in_any_transfer_syntax(syntax: str) -> None:
    assert offers.transfer_syntax_for(CT, [syntax]) == syntax


@pytest.mark.parametrize("syntax", [*offers.REFUSED_SYNTAXES, "../../etc/passwd", "", "1." * 40])
def test_what_is_no_transfer_syntax_of_images_is_refused(syntax: str) -> None:
    assert offers.transfer_syntax_for(CT, [syntax]) is None


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        ([J2K, JPEG, EXPLICIT], J2K),
        ([EXPLICIT, J2K], EXPLICIT),
        ([IMPLICIT, JPEG], JPEG),
        ([BIG, IMPLICIT], BIG),
        ([IMPLICIT, EXPLICIT, BIG], EXPLICIT),
        ([DEFLATED, EXPLICIT], DEFLATED),
    ],
)
def test_the_order_of_the_device_counts(proposed: list[str], taken: str) -> None:
    assert offers.transfer_syntax_for(CT, proposed) == taken


def test_what_a_device_is_sent_does_not_limit_what_it_sends() -> None:
    device = Device(accepted_syntaxes=[IMPLICIT], preferred_syntax=JPEG)
    proposal = Proposal("OPENPACS", "CT1", 1, contexts=[Offer(1, CT, [J2K])])
    answer = offers.answer(device, proposal, proposal.contexts[0])
    assert (answer.result, answer.context.transfer_syntax) == (0, J2K)


@pytest.mark.parametrize(
    "sop_class",
    ["1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.43.1"],
)
def test_what_is_of_no_patient_is_taken_too(sop_class: str) -> None:
    assert offers.is_storage(Device(), sop_class)  # PS3.4 annex GG


def test_private_classes_are_a_matter_of_the_device(listener: Listener, device: Device) -> None:
    Device.objects.filter(pk=device.pk).update(private_classes=["1.3.12.2.1107.5.9.1"])
    entity = AE(ae_title="CT1")
    for uid in ("1.3.12.2.1107.5.9.1", "1.3.46.670589.2.5.1.1", "1.2.840.10008.5.1.4.1.1.999"):
        entity.add_requested_context(uid)
    association = entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS")
    assert {one.abstract_syntax: one.result for one in association.rejected_contexts} == {
        "1.3.46.670589.2.5.1.1": 3
    }
    association.release()


@pytest.fixture
def unindexed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "delay", lambda names: None)


@pytest.mark.usefixtures("unindexed")
def test_deflated_images_are_kept_deflated(
    listener: Listener, device: Device, spool: Spool
) -> None:
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT, DEFLATED)
    association = entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS")
    image = ct_image("2.25.1")
    image.PixelData = b"abcdefgh" * 100_000
    image.file_meta.TransferSyntaxUID = UID(DEFLATED)
    assert association.send_c_store(image).Status == 0
    association.abort()
    (path,) = spool.waiting()
    kept = path.read_bytes()
    assert len(kept) < 20_000
    assert image.PixelData in inflate(kept, _start(kept))


def _start(file: bytes) -> int:
    """Where the data set of a PS3.10 file begins."""
    return 144 + int.from_bytes(file[140:144], "little")


def test_deflated_images_are_indexed(listener: Listener, device: Device) -> None:
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT, DEFLATED)
    association = entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS")
    image = ct_image("2.25.2")
    image.file_meta.TransferSyntaxUID = UID(DEFLATED)
    assert association.send_c_store(image).Status == 0
    association.release()
    assert Instance.objects.get(sop_instance_uid="2.25.2").transfer_syntax_uid == DEFLATED


@pytest.mark.parametrize("syntax", [DEFLATED, JPIP_DEFLATED])
def test_the_uids_of_a_deflated_object_are_seen(syntax: str) -> None:
    raw = b"\x08\0\x16\0UI\x1a\0" + CT.encode() + b"\0" + b"\x08\0\x18\0UI\x06\x002.25.1"
    squeezed = zlib.compress(raw + bytes(50 << 20), 9, -zlib.MAX_WBITS)[:4096]
    assert leading_uids(squeezed, syntax) == (CT, "2.25.1")
    assert leading_uids(b"\xff" * 200, syntax) is None
    assert leading_uids(b"", syntax) is None


def test_the_uids_of_an_object_in_another_vr_form_than_announced_are_seen() -> None:
    raw = b"\x08\0\x16\0\x1a\0\0\0" + CT.encode() + b"\0"
    raw += b"\x08\0\x18\0\x06\0\0\0" + b"2.25.1" + bytes(100)
    assert leading_uids(raw, JPEG) == (CT, "2.25.1")


def test_what_does_not_inflate_is_refused(
    listener: Listener, dial: Dial, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT, DEFLATED)
    association = entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS")
    image: Any = ct_image("2.25.3")
    image.file_meta.TransferSyntaxUID = UID(DEFLATED)
    monkeypatch.setattr("pynetdicom.association.encode", lambda *_: b"\xff" * 100)
    assert association.send_c_store(image).Status == 0xC000
    association.release()
