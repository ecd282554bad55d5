"""Many senders of the same study at once: it is there once, whole."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.dicom.objects import ct_image, part10
from tests.faults import Rig, rig
from tests.servers import postgres, redis
from tests.waiting import wait_for

SENDERS, TIMES, IMAGES = 20, 5, 50
COUNTS = """
from apps.studies.models import Conflict, Instance, Series, Study
study = Study.objects.get()
print(Series.objects.count(), Instance.objects.count(), Conflict.objects.count())
print(study.series_count, study.instance_count, study.patient_identifier)
print(sorted(Series.objects.values_list("instance_count", flat=True)))
"""


def write_study(folder: Path) -> list[Path]:
    """One study of two series of 25 images."""
    paths = []
    for number in range(IMAGES):
        image = ct_image(
            SOPInstanceUID=f"2.25.9{number:03d}",
            SeriesInstanceUID=f"2.25.8{number % 2}",
            StudyInstanceUID="2.25.7",
            InstanceNumber=number,
        )
        path = folder / f"{number}.dcm"
        path.write_bytes(part10(image))
        paths.append(path)
    return paths


def storescu(target: Rig, paths: list[Path]) -> "subprocess.Popen[bytes]":
    where = ["-aet", "CT1", "-aec", "OPENPACS", "127.0.0.1", str(target.port)]
    return subprocess.Popen(
        ["/usr/bin/storescu", "-q", *where, *map(str, paths)],
        env={**os.environ, "TCP_NODELAY": "1"},
    )


@pytest.mark.engines
@pytest.mark.peer
def test_twenty_senders_make_one_study_of_fifty_images(tmp_path: Path) -> None:
    paths = write_study(tmp_path)
    with ExitStack() as stack:
        engines = {}
        if os.environ.get("REDIS_URL"):
            engines["DATABASE_URL"] = stack.enter_context(postgres())
            engines["REDIS_URL"] = stack.enter_context(redis())
        target = stack.enter_context(rig(engines))
        target.wait_until_listening()
        for _ in range(TIMES):
            senders = [storescu(target, paths) for _ in range(SENDERS)]
            assert [sender.wait(120) for sender in senders] == [0] * SENDERS
        incoming = target.home / "spool" / "incoming"
        wait_for(lambda: not any(incoming.iterdir()), seconds=60)
        target.manage("scrub")
        said = target.manage("shell", "--verbosity", "0", "-c", COUNTS).split("\n")
        files = list((target.home / "dicom").rglob("*.dcm"))
    assert said[:3] == ["2 50 0", "2 50 P0000001", "[25, 25]"]
    assert len(files) == IMAGES
