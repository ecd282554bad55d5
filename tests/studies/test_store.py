"""Storing files: rows, places, duplicates, conflicts, refusals."""

import hashlib
import re
from pathlib import Path

import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.dicom.uids import new_uid
from apps.studies.models import Instance, Series, Study
from apps.studies.services import Outcome, store_instances
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def kept_bytes(name: str) -> bytes:
    with stored_files().open(name) as file:
        content: bytes = file.read()
    return content


def test_a_file_is_indexed_and_put_in_its_place(spool: Spool, origin: Origin) -> None:
    content = part10(ct_image())
    path = spool.write([content])
    (stored,) = store_instances([path], origin=origin)
    assert stored.outcome is Outcome.STORED
    study = Study.objects.get()
    assert study.patient_name == "Müller^Jörg"
    assert study.patient_search_name == "MULLER JORG"
    assert (study.series_count, study.instance_count, study.size) == (1, 1, len(content))
    assert study.modality_list == ["CT"]
    assert study.study_date is not None
    assert study.status == Study.Status.RECEIVING
    row = Instance.objects.get()
    assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert row.source == "CT1"
    assert row.frame_table is not None
    ((offset, length),) = row.frame_table
    assert stored_files().read(row.file_name, offset, length) == content[-48:]
    assert kept_bytes(row.file_name) == content
    assert study.study_instance_uid not in row.file_name
    assert not spool.waiting()
    assert kinds() == ["study-received"]


def test_many_images_of_one_study_make_one_study(spool: Spool, origin: Origin) -> None:
    first = ct_image()
    series = first.SeriesInstanceUID
    paths = [spool.write([part10(first)])]
    for number in range(2, 6):
        image = ct_image(
            StudyInstanceUID=first.StudyInstanceUID,
            SeriesInstanceUID=series,
            InstanceNumber=number,
        )
        paths.append(spool.write([part10(image)]))
    other = ct_image(StudyInstanceUID=first.StudyInstanceUID, Modality="SR", StudyDescription=None)
    store_instances(paths, origin=origin)
    store_instances([spool.write([part10(other)])], origin=origin)
    study = Study.objects.get()
    assert (study.series_count, study.instance_count) == (2, 6)
    assert study.modality_list == ["CT", "SR"]
    assert study.description == "CT of the chest"
    assert Series.objects.get(series_instance_uid=series).instance_count == 5
    assert kinds() == ["study-received"]


def test_the_same_file_again_is_a_duplicate_and_no_work(spool: Spool, origin: Origin) -> None:
    image = ct_image()
    store_instances([spool.write([part10(image)])], origin=origin)
    before = Study.objects.get().revision
    again = store_instances(
        [spool.write([part10(image)]), spool.write([part10(image, source="CT2")])], origin=origin
    )
    assert [one.outcome for one in again] == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert Study.objects.get().revision == before
    assert not spool.waiting()
    assert kinds() == ["study-received"]


def test_repeats_within_one_batch_are_duplicates_too(spool: Spool, origin: Origin) -> None:
    image = part10(ct_image())
    stored = store_instances([spool.write([image]), spool.write([image])], origin=origin)
    assert [one.outcome for one in stored] == [Outcome.STORED, Outcome.DUPLICATE]
    assert Instance.objects.count() == 1


def test_other_content_under_a_known_uid_is_kept_aside(spool: Spool, origin: Origin) -> None:
    image = ct_image()
    store_instances([spool.write([part10(image)])], origin=origin)
    kept = Instance.objects.get().sha256
    image.PixelData = bytes(48)
    forged = part10(image)
    (stored,) = store_instances([spool.write([forged])], origin=origin)
    assert stored.outcome is Outcome.CONFLICT
    assert Instance.objects.get().sha256 == kept
    event = Event.objects.get(kind="conflict-found")
    assert kept_bytes(event.details["file"]) == forged
    assert not spool.waiting()


def test_a_series_of_another_study_is_kept_aside(spool: Spool, origin: Origin) -> None:
    image = ct_image()
    stray = ct_image(SeriesInstanceUID=image.SeriesInstanceUID)
    store_instances([spool.write([part10(image)])], origin=origin)
    (stored,) = store_instances([spool.write([part10(stray)])], origin=origin)
    assert stored.outcome is Outcome.CONFLICT
    assert Study.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "DICM mark is missing"),
        (b"\x89PNG" * 100, "DICM mark is missing"),
        (part10(ct_image())[:200], "is missing or no UID"),
        (bytes(128) + b"DICM" + b"\xff" * 500, "not readable as DICOM|missing or no UID"),
        (
            part10(ct_image(StudyInstanceUID="1.2.77.3")).replace(b"1.2.77.3", b"1.2/../3"),
            "Study Instance UID is no UID",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    spool: Spool, origin: Origin, content: bytes, reason: str
) -> None:
    good = spool.write([part10(ct_image())])
    bad = spool.write([content])
    refused, stored = store_instances([bad, good], origin=origin)
    assert refused.outcome is Outcome.REFUSED
    assert stored.outcome is Outcome.STORED
    (failed,) = spool.failed()
    assert re.search(reason, spool.reason(failed))
    assert failed.read_bytes() == content
    assert Event.objects.get(kind="file-refused").details["file"] == failed.name


def test_objects_without_a_study_get_one_of_their_own(spool: Spool, origin: Origin) -> None:
    image = ct_image(StudyInstanceUID=None, SeriesInstanceUID=None)
    store_instances([spool.write([part10(image)])], origin=origin)
    assert Study.objects.get().study_instance_uid.startswith("2.25.")


@pytest.mark.parametrize("preamble", [b"MZ", b"\x7fELF", b"<html>", b"%PDF"])
def test_an_executable_preamble_is_blanked(spool: Spool, origin: Origin, preamble: bytes) -> None:
    content = part10(ct_image())
    store_instances([spool.write([preamble.ljust(128, b"\x90"), content[128:]])], origin=origin)
    row = Instance.objects.get()
    assert kept_bytes(row.file_name) == content
    assert row.sha256 == hashlib.sha256(content).hexdigest()


def test_a_tiff_preamble_stays(spool: Spool, origin: Origin) -> None:
    content = b"II*\0".ljust(128, b"\1") + part10(ct_image())[128:]
    store_instances([spool.write([content])], origin=origin)
    assert kept_bytes(Instance.objects.get().file_name) == content


def test_a_file_that_is_gone_was_taken_by_another_worker(spool: Spool, origin: Origin) -> None:
    (stored,) = store_instances([spool.incoming / "gone.dcm"], origin=origin)
    assert stored.outcome is Outcome.DUPLICATE


def test_a_death_before_the_commit_leaves_a_file_that_is_stored_again(
    spool: Spool, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spool.write([part10(ct_image())])

    def die(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("apps.studies.services.storing.index_batch", die)
        with pytest.raises(MemoryError):
            store_instances([path], origin=origin)
    assert not Study.objects.exists()
    assert spool.waiting() == [path]
    (stored,) = store_instances([path], origin=origin)
    assert stored.outcome is Outcome.STORED
    assert Path(stored_files().path(Instance.objects.get().file_name)).exists()  # type: ignore[attr-defined]


def test_a_death_after_the_commit_only_leaves_the_spool_entry(
    spool: Spool, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spool.write([part10(ct_image())])

    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "discard", die)
        with pytest.raises(MemoryError):
            store_instances([path], origin=origin)
    (stored,) = store_instances([path], origin=origin)
    assert stored.outcome is Outcome.STORED
    assert kept_bytes(Instance.objects.get().file_name)
    assert not spool.waiting()
    assert Study.objects.get().instance_count == 1


@pytest.mark.parametrize("encapsulated", [False, True])
def test_an_object_cut_off_within_its_pixels_is_refused(
    spool: Spool, origin: Origin, encapsulated: bool
) -> None:
    image, syntax = ct_image(), ExplicitVRLittleEndian
    if encapsulated:
        image, syntax = ct_image(PixelData=encapsulate([bytes(400)])), JPEGBaseline8Bit
        image["PixelData"].is_undefined_length = True
    content = part10(image, syntax=syntax)
    (whole,) = store_instances([spool.write([content])], origin=origin)
    assert whole.outcome is Outcome.STORED
    image.SOPInstanceUID = new_uid()
    (cut,) = store_instances([spool.write([part10(image, syntax=syntax)[:-20]])], origin=origin)
    assert cut.outcome is Outcome.REFUSED
    assert "cut off" in cut.reason
    assert Instance.objects.count() == 1
    assert len(spool.failed()) == 1
