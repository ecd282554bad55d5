"""Images of discs: what old and new readers find on them."""

import io
import subprocess
from pathlib import Path

import pytest
from pycdlib import PyCdlib
from pydicom import dcmread

from apps.exports.members import Member
from apps.exports.services.discs import burn
from tests.exports.conftest import Ask, MakeStudy, made
from tests.prepare import find_program

pytestmark = pytest.mark.django_db
IMAGE = "DICOM/ST000001/SE000001/IM000001"


def test_a_disc_holds_the_same_files_for_readers_of_every_age(
    make_study: MakeStudy, ask: Ask
) -> None:
    study = make_study(2)
    export = made(ask(study, kind="disc"))
    assert (export.status, export.done_count) == ("done", 2)
    disc = PyCdlib()
    disc.open(str(export.path))
    found = []
    ways = {"iso_path": f"/{IMAGE}.;1", "joliet_path": f"/{IMAGE}", "udf_path": f"/{IMAGE}"}
    for word, path in ways.items():
        data = io.BytesIO()
        disc.get_file_from_iso_fp(data, **{word: path})
        found.append(data.getvalue())
    disc.close()
    assert found[0] == found[1] == found[2]
    assert dcmread(io.BytesIO(found[0])).StudyInstanceUID == study.study_instance_uid


@pytest.mark.peer("xorriso", "dcmdump")
def test_other_programs_read_the_disc(make_study: MakeStudy, ask: Ask, tmp_path: Path) -> None:
    export = made(ask(make_study(2), kind="disc", viewer=True))
    target = tmp_path / "disc"
    source, into = str(export.path), str(target)
    command = ["xorriso", "-osirrox", "on", "-indev", source, "-extract", "/", into]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert {"DICOMDIR", "README.TXT", "INDEX.HTM", "VIEWER/DATA.JS", IMAGE} <= names
    program = find_program("dcmdump") or "dcmdump"
    said = subprocess.run([program, str(target / "DICOMDIR")], capture_output=True, check=False)
    assert said.returncode == 0
    assert said.stdout.count(b"IMAGE") >= 2


def test_a_disc_takes_no_member_of_unknown_size(tmp_path: Path) -> None:
    member = Member("A.TXT", lambda: iter([b"x"]))
    with (tmp_path / "disc").open("wb") as target, pytest.raises(ValueError, match="unknown size"):
        burn([member], target)
