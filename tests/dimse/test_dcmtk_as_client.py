"""DCMTK's clients against the archive, where no other test has them at work."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from apps.dimse.listener import Listener
from apps.dimse.offers import STUDY_FIND
from apps.studies.models import Instance
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.asking import ask, identifier
from tests.dimse.asking import keep as keep_objects
from tests.dimse.conftest import Dial, Tool, ct_image
from tests.dimse.receiving import Receiver, keep_images, receiver
from tests.waiting import wait_for

pytestmark = pytest.mark.peer
Run = Callable[..., "subprocess.CompletedProcess[str]"]
UNKNOWN_CLASS = "1.2.826.0.1.3680043.8.498.1"


@pytest.fixture
def run(listener: Listener, device: Device, tool: Tool) -> Run:
    """Runs a client of DCMTK against the listener; `keys` are those of a query."""
    Device.objects.filter(pk=device.pk).update(may_query=True, may_retrieve=True)

    def call(
        name: str, *options: object, keys: tuple[str, ...] = (), files: tuple[Path, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        asked = [word for key in keys for word in ("-k", key)]
        where = ("-aet", "CT1", "-aec", "OPENPACS", *asked, "127.0.0.1", listener.port)
        return tool(name, "-v", *options, *where, *files)

    return call


@pytest.fixture
def peer(device: Device) -> Iterator[Receiver]:
    """A destination called DEST."""
    with receiver() as made:
        made.device()
        yield made


def write(folder: Path, uid: str, sop_class: str = "") -> Path:
    image = ct_image(uid)
    if sop_class:
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    path = folder / f"{uid}.dcm"
    dcmwrite(path, image, enforce_file_format=True)
    return path


def test_storescu_sends_deflated_images_and_they_stay_so(run: Run, tmp_path: Path) -> None:
    done = run("storescu", "-xd", files=(write(tmp_path, "2.25.1"),))
    assert done.returncode == 0, done.stderr
    stored = Instance.objects.get()
    assert stored.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    (path,) = (tmp_path / "dicom").rglob("*.dcm")
    assert dcmread(path).PixelData == bytes(128)
    assert path.stat().st_size == stored.size


def test_dcmsend_is_refused_a_class_that_is_not_offered(run: Run, tmp_path: Path) -> None:
    files = (write(tmp_path, "2.25.1"), write(tmp_path, "2.25.2", UNKNOWN_CLASS))
    done = run("dcmsend", "-nuc", files=files)
    assert "No presentation context found" in done.stdout + done.stderr
    kept = Instance.objects.values_list("sop_instance_uid", flat=True)
    wait_for(lambda: list(kept.all()) == ["2.25.1"])


def test_findscu_is_told_at_the_level_of_images_where_to_get_them(run: Run) -> None:
    keep_images(2)
    asked = ("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=2.25.7", "SeriesInstanceUID=2.25.8")
    done = run("findscu", "-S", keys=(*asked, "SOPInstanceUID", "RetrieveAETitle"))
    assert (done.stdout + done.stderr).count("[OPENPACS]") == 2


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        (("QueryRetrieveLevel=STUDY", "AccessionNumber=A1"), 2),
        (("QueryRetrieveLevel=SERIES", "StudyInstanceUID=2.25.7", "SeriesInstanceUID=2.25.8"), 2),
        (("QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.7\\2.25.404"), 2),
        (("QueryRetrieveLevel=STUDY", "StudyInstanceUID=2.25.404"), 0),
        (("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientID", "AccessionNumber"), 0),
    ],
)
def test_movescu_moves_what_its_keys_name_and_no_more(
    keys: tuple[str, ...], count: int, run: Run, peer: Receiver, spool: Spool
) -> None:
    images = [ct_image(uid) for uid in ("2.25.1", "2.25.2")]
    for image in images:
        image.AccessionNumber = "A1"
    keep_objects(spool, *images)
    run("movescu", "-S", "-aem", "DEST", keys=keys)
    assert len(peer.uids) == count


@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_of_a_query_may_have_a_length_or_none(
    undefined: bool, run: Run, spool: Spool, listener: Listener, dial: Dial
) -> None:
    code = Dataset()
    code.CodeValue = "CTCHEST"
    image = ct_image("2.25.1")
    image.ProcedureCodeSequence = Sequence([code])
    keep_objects(spool, image)
    for value, count in (("CT*", 1), ("MR*", 0)):
        wanted = Dataset()
        wanted.CodeValue = value
        wanted.is_undefined_length_sequence_item = undefined
        asked = identifier(StudyInstanceUID="", ProcedureCodeSequence=Sequence([wanted]))
        asked["ProcedureCodeSequence"].is_undefined_length = undefined
        assert len(ask(dial(listener, STUDY_FIND), asked)) == count
