"""C-STORE: what is answered with success is durable, indexed, byte for byte."""

import errno
import io
import subprocess
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite

from apps.dimse.listener import Listener
from apps.studies import spool as spool_module
from apps.studies.models import Instance
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from apps.studies.tasks import ingest
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Start, Tool, ct_image
from tests.waiting import wait_for

CT = "1.2.840.10008.5.1.4.1.1.2"


def write_image(folder: Path, uid: str, **fields: str) -> Path:
    path = folder / f"{uid}.dcm"
    dcmwrite(path, ct_image(uid, **fields), enforce_file_format=True)
    return path


def test_a_stored_image_is_indexed_when_the_association_is_released(
    listener: Listener, dial: Dial
) -> None:
    association = dial(listener, CT)
    answer = association.send_c_store(ct_image("2.25.100"))
    assert answer.Status == 0
    association.release()
    stored = Instance.objects.get(sop_instance_uid="2.25.100")
    assert stored.source == "CT1"


def test_the_data_set_is_kept_byte_for_byte(
    listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "delay", lambda names: None)
    association = dial(listener, CT)
    image = ct_image("2.25.101")
    image.PixelData = bytes(range(256)) * 4000  # many fragments
    assert association.send_c_store(image).Status == 0
    association.abort()
    (path,) = spool.waiting()
    kept = dcmread(path)
    assert kept.PixelData == image.PixelData
    assert kept.file_meta.SourceApplicationEntityTitle == "CT1"
    assert kept.file_meta.MediaStorageSOPInstanceUID == "2.25.101"


def test_a_full_disk_is_answered_with_out_of_resources(
    listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, parts: Iterable[bytes]) -> None:
        next(iter(parts))
        raise OSError(errno.ENOSPC, "No space left on device")

    association = dial(listener, CT)
    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "_write_synced", full)
        assert association.send_c_store(ct_image("2.25.102")).Status == 0xA700
    assert association.send_c_store(ct_image("2.25.102")).Status == 0
    association.release()
    assert spool.waiting() == []


def test_a_broker_that_is_down_does_not_fail_a_store(
    listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_names: list[str]) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(ingest, "delay", down)
    association = dial(listener, CT)
    assert association.send_c_store(ct_image("2.25.103")).Status == 0
    association.abort()
    assert len(spool.waiting()) == 1


def test_an_object_that_is_not_the_announced_one_is_refused(
    listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    association = dial(listener, CT)
    image = ct_image("2.25.104")
    original = association.dimse.send_msg

    def altered(primitive: Any, context_id: int) -> None:
        primitive.AffectedSOPInstanceUID = "2.25.999"
        original(primitive, context_id)

    monkeypatch.setattr(association.dimse, "send_msg", altered)
    answer = association.send_c_store(image)
    assert (answer.Status, "Instance UID" in answer.ErrorComment) == (0xA900, True)
    assert spool.waiting() == []


@pytest.mark.parametrize("data", [b"\xde\xad\xbe\xef" * 500, b"\0" * 5000])
def test_what_is_no_data_set_is_refused_as_such(
    data: bytes, listener: Listener, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    association = dial(listener, CT)
    original = association.dimse.send_msg

    def altered(primitive: Any, context_id: int) -> None:
        primitive.DataSet = io.BytesIO(data)
        original(primitive, context_id)

    monkeypatch.setattr(association.dimse, "send_msg", altered)
    answer = association.send_c_store(ct_image("2.25.104"))
    assert (answer.Status, bool(answer.ErrorComment)) == (0xC000, True)
    assert spool.waiting() == []


def test_a_device_without_the_right_may_not_store(
    listener: Listener, dial: Dial, device: Device
) -> None:
    Device.objects.filter(pk=device.pk).update(may_store=False)
    association = dial(listener, CT, "1.2.840.10008.1.1")
    assert [str(one.abstract_syntax) for one in association.accepted_contexts] == [
        "1.2.840.10008.1.1"
    ]


def test_a_right_that_is_taken_away_counts_at_once_for_new_associations(
    listener: Listener, dial: Dial, device: Device
) -> None:
    association = dial(listener, CT)
    assert association.accepted_contexts
    association.release()
    Device.objects.filter(pk=device.pk).update(active=False)
    assert not dial(listener, CT).is_established


@pytest.mark.peer
def test_dcmtk_stores_with_eight_associations_at_once(
    listener: Listener, device: Device, tmp_path: Path
) -> None:
    senders = []
    for sender in range(8):
        folder = tmp_path / f"out{sender}"
        folder.mkdir()
        for number in range(5):
            uid = f"2.25.{sender + 1}{number:03}"
            write_image(folder, uid, study="2.25.70", series=f"2.25.8{sender}")
        command = ["/usr/bin/storescu", "+sd", "-aet", "CT1", "-aec", "OPENPACS"]
        command += ["127.0.0.1", str(listener.port), str(folder)]
        senders.append(subprocess.Popen(command, env={"TCP_NODELAY": "1"}))
    assert [sender.wait(timeout=60) for sender in senders] == [0] * 8
    assert Instance.objects.count() == 40
    assert Instance.objects.values("series__study").distinct().count() == 1


@pytest.mark.peer
@pytest.mark.parametrize("size", [4096, 16384, 131072])
def test_dcmtk_stores_in_every_size_of_pdu(
    listener: Listener, device: Device, tmp_path: Path, tool: Tool, size: int
) -> None:
    images = [ct_image(f"2.25.20{number}") for number in range(3)]
    for image in images:
        image.PixelData = Random(image.SOPInstanceUID).randbytes(1_500_000)  # more than is held
        dcmwrite(tmp_path / image.SOPInstanceUID, image, enforce_file_format=True)
    done = tool(
        "storescu", "-pdu", size, "--max-send-pdu", size, "+sd",
        "-aet", "CT1", "-aec", "OPENPACS", "127.0.0.1", listener.port, tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = {row.sop_instance_uid: row for row in Instance.objects.all()}
    assert len(stored) == 3
    for image in images:
        with stored_files().open(stored[image.SOPInstanceUID].file_name) as file:
            assert dcmread(file).PixelData == image.PixelData


def test_a_transfer_cut_off_leaves_nothing_behind(
    start: Start, dial: Dial, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = start()
    association = dial(listener, CT)
    image = ct_image("2.25.105")
    image.PixelData = bytes(2_000_000)
    connection = association.dul.socket
    assert connection is not None
    original, sent = connection.send, 0

    def cut(data: bytes) -> None:
        nonlocal sent
        sent += len(data)
        if sent > 500_000:
            connection.close()
        else:
            original(data)

    monkeypatch.setattr(connection, "send", cut)
    association.send_c_store(image)
    wait_for(lambda: not listener._open)
    assert list(spool.partial.iterdir()) == []
    assert spool.waiting() == []
