"""ZIP archives with a DICOMDIR: what is in them, what is not, and how they are read."""

import io
import subprocess
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.exports.members import Member, zipped
from apps.exports.services.gathering import instance_keys
from apps.exports.services.packing import dicom_members
from apps.studies.models import Correction, Instance, Study
from apps.studies.services import correct_study
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image
from tests.exports.conftest import Ask, MakeStudy, made, objects_of, opened, store
from tests.prepare import find_program

pytestmark = pytest.mark.django_db
MIB = 1 << 20


def unpacked(study: Study, folder: Path) -> Path:
    members = dicom_members(instance_keys([study.pk]))
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(members, deflate=True)))) as archive:
        archive.extractall(folder)
    return folder


def test_an_archive_holds_the_objects_a_dicomdir_and_a_readme(
    make_study: MakeStudy, ask: Ask
) -> None:
    first, second = make_study(2), make_study(1, PatientID="P2")
    export = made(ask(first, second))
    assert (export.status, export.done_count, export.total_count) == ("done", 3, 3)
    archive = opened(export)
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == [
        "DICOM/ST000001/SE000001/IM000001",
        "DICOM/ST000001/SE000001/IM000002",
        "DICOM/ST000002/SE000001/IM000001",
        "DICOMDIR",
        "README.TXT",
    ]
    sent = {dcmread(io.BytesIO(data)).SOPInstanceUID for data in objects_of(archive)}
    assert sent == set(Instance.objects.values_list("sop_instance_uid", flat=True))


def test_pydicom_reads_the_dicomdir_and_every_file_that_it_names(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    study = make_study(3)
    read = FileSet(unpacked(study, tmp_path / "disc") / "DICOMDIR")
    assert len(read) == 3
    assert read.find_values("PatientName") == ["Müller^Jörg"]
    assert {one.load().StudyInstanceUID for one in read} == {study.study_instance_uid}
    assert [one.ReferencedFileID[-1] for one in read] == ["IM000001", "IM000002", "IM000003"]
    read._stage["t"].cleanup()  # the folder it would stage changes in


@pytest.mark.peer
def test_dcmtk_reads_the_dicomdir_and_makes_the_same_one(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    folder = unpacked(make_study(2, AccessionNumber="A1"), tmp_path / "disc")
    ours = _dump(folder / "DICOMDIR")
    files = [str(one.relative_to(folder)) for one in sorted(folder.glob("DICOM/*/*/*"))]
    command = ["dcmmkdir", "+D", "../theirs", "+I", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = _dump(tmp_path / "theirs")
    assert [line for line in ours if "DirectoryRecordType" in line] == [
        line for line in theirs if "DirectoryRecordType" in line
    ]
    compared = ("ReferencedFileID", "InstanceUID", "PatientID", "PatientName", "StudyDate")
    for keyword in compared:
        assert _values(ours, keyword) == _values(theirs, keyword), keyword


def _dump(path: Path) -> list[str]:
    program = find_program("dcmdump") or "dcmdump"
    done = subprocess.run([program, "+L", str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode("utf-8").splitlines()
    return [line for line in lines if not line.startswith("(0002")]


def _values(lines: list[str], keyword: str) -> list[str]:
    return [line.split("[")[1].split("]")[0] for line in lines if keyword in line and "[" in line]


def test_corrections_are_made_in_what_goes_out(
    make_study: MakeStudy, ask: Ask, origin: Origin
) -> None:
    study = make_study(1)
    correct_study(
        study,
        changes=[Change("00100010", "PN", [{"Alphabetic": "Right^Name"}])],
        reason="Typing error",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    archive = opened(made(ask(study)))
    (data,) = objects_of(archive)
    assert dcmread(io.BytesIO(data)).PatientName == "Right^Name"
    assert b"Right^Name" in archive.read("DICOMDIR")


def test_no_header_chooses_a_name(ask: Ask) -> None:
    hostile = "../../../etc/passwd"
    study = store(ct_image(StudyID=hostile[:16], PatientID=hostile, SeriesDescription="..\\..\\x"))
    names = opened(made(ask(study))).namelist()
    assert [name for name in names if ".." in name or name.startswith("/")] == []


def test_a_preamble_that_is_a_program_stays_here(ask: Ask, make_study: MakeStudy) -> None:
    study = make_study(1)
    row = Instance.objects.get()
    path = Path(stored_files().path(row.file_name))  # type: ignore[attr-defined]
    path.chmod(0o600)
    path.write_bytes(b"MZ" + path.read_bytes()[2:])
    (data,) = objects_of(opened(made(ask(study))))
    assert data[:132] == b"\0" * 128 + b"DICM"


def test_of_an_archive_only_a_piece_is_held_at_a_time() -> None:
    piece = bytes(MIB)

    def chunks() -> Iterator[bytes]:
        return iter([piece] * 200)

    members = (Member(f"DICOM/IM{n:06d}", chunks, 200 * MIB) for n in range(2))
    tracemalloc.start()
    size = sum(len(chunk) for chunk in zipped(members, deflate=False))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 400 * MIB
    assert most < 8 * MIB


def test_who_stops_reading_an_archive_stops_all_of_it() -> None:
    state: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            state.append("closed")

    stream = zipped([Member("DICOM/IM000001", chunks)], deflate=False)
    assert len(next(stream)) > 1000
    stream.close()  # type: ignore[attr-defined]
    assert state == ["closed"]


def test_the_journal_says_who_exported_which_study(make_study: MakeStudy, ask: Ask) -> None:
    first, second = make_study(1), make_study(1)
    export = ask(first, second)
    made(export)
    rows = Event.objects.filter(kind=Kind.STUDY_EXPORTED)
    assert {row.study_instance_uid for row in rows} == {
        first.study_instance_uid,
        second.study_instance_uid,
    }
    assert {row.user for row in rows} == {export.user}
    (row,) = Event.objects.filter(kind=Kind.EXPORT_MADE)
    assert (row.details["studies"], row.details["objects"]) == (2, 2)
