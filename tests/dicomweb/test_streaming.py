"""Large answers take little memory, and nothing where nobody reads them to the end."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydicom.uid import ExplicitVRLittleEndian

from apps.dicomweb import multipart
from apps.studies.models import Instance, Study
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import get

pytestmark = pytest.mark.django_db
MIB = 1 << 20
LARGE = 300 * MIB
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = "application/octet-stream; transfer-syntax=*"


@pytest.fixture
def large(keep: Keep) -> Instance:
    """An image of 300 MiB, most of which is a hole in its file."""
    row = keep(ct_image(NumberOfFrames=2))
    files: Any = stored_files()
    path = Path(files.path(row.file_name))
    start = path.stat().st_size - 48
    os.truncate(path, start + LARGE)
    row.size, row.frames = start + LARGE, 2
    row.frame_table = [[start, LARGE // 2], [start + LARGE // 2, LARGE // 2]]
    row.save()
    return row


def study_of(row: Instance) -> str:
    return f"/dicom-web/studies/{row.series.study.study_instance_uid}"


def test_a_large_study_is_sent_in_bounded_memory(radiologist: Client, large: Instance) -> None:
    for address, accept in (
        (study_of(large), STORED),
        (f"{address_of(large)}/frames/2", FRAME),
        (f"{address_of(large)}/pixeldata", "application/octet-stream"),
    ):
        get(radiologist, f"{address_of(large)}/metadata")
        tracemalloc.start()
        answer = get(radiologist, address, accept)
        read = sum(len(chunk) for chunk in answer.streaming_content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == int(answer["Content-Length"]) >= LARGE // 2
        assert peak < 8 * MIB


def test_a_reader_who_hangs_up_leaves_nothing_open(radiologist: Client, large: Instance) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    answers = [get(radiologist, study_of(large), STORED) for _ in range(3)]
    for answer in answers:
        chunks = iter(answer.streaming_content)
        assert sum(len(next(chunks)) for _ in range(5)) > MIB
    # Not closed, as a server does: that would close the connection of this test.
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 1


def test_a_transcoded_study_is_cut_short_where_an_image_fails(
    radiologist: Client, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "AT_ONCE", 0)
    first = ct_image()
    keep(first)
    broken = ct_image(StudyInstanceUID=first.StudyInstanceUID, PixelData=b"no image")
    row = keep(broken)
    Instance.objects.filter(pk=row.pk).update(transfer_syntax_uid="1.2.840.10008.1.2.4.80")
    study = f"/dicom-web/studies/{first.StudyInstanceUID}"
    answer = get(radiologist, study, 'multipart/related; type="application/dicom"')
    assert answer.status_code == 200
    assert "Content-Length" not in answer
    with pytest.raises(ValueError, match=ExplicitVRLittleEndian):
        answer.getvalue()
    assert Study.objects.get().instance_count == 2
