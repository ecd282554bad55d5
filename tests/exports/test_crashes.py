"""A worker that is killed in the middle of an export."""

import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing

import pytest

from openpacs.install import ROOT
from tests.faults import Rig, rig
from tests.waiting import wait_for

pytestmark = pytest.mark.fault
_FRONT = "import django; django.setup(); "
FILL = (
    _FRONT + "from tests.dicom.objects import *; from tests.factories import make_user\n"
    "from apps.audit.services import Origin; from apps.studies.services import store_instances\n"
    "from apps.studies.spool import default_spool; from apps.exports.services import *\n"
    "from apps.studies.models import Study; import os\n"
    "import logging; logging.disable()\n"
    "image = ct_image(Rows=4000, Columns=8000, PixelData=os.urandom(64_000_000))\n"
    "user = make_user('radiologist'); origin = Origin(protocol='test', user=user)\n"
    "store_instances([default_spool().write([part10(image)])], origin=origin)\n"
    "ask_for_export(list(Study.objects.all()), kind='zip', options={}, origin=origin)\n"
)


@pytest.fixture
def target() -> Iterator[Rig]:
    with rig({}, programs=("worker", "beat")) as made:
        yield made


def rows(target: Rig, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(target.home / "openpacs.db", timeout=30)) as database, database:
        return database.execute(statement).fetchall()


def test_an_export_goes_on_after_its_worker_was_killed(target: Rig) -> None:
    folder = target.home / "exports"
    # Looked at from the first moment: it is written in the blink of an eye.
    with subprocess.Popen([sys.executable, "-c", FILL], cwd=ROOT, env=target.environment) as fill:
        wait_for(
            lambda: any(part.stat().st_size > 1_000_000 for part in folder.glob("*.part")),
            seconds=60,
            pause=0.005,
        )
        target.kill("worker")
    assert fill.returncode == 0
    assert list(folder.glob("*.zip")) == []
    assert rows(target, "SELECT status, attempts FROM exports_export") == [("running", 1)]
    rows(target, "UPDATE exports_export SET lease_until = '2000-01-01 00:00:00'")
    wait_for(lambda: rows(target, "SELECT status FROM exports_export") == [("done",)], seconds=60)
    assert rows(target, "SELECT attempts FROM exports_export") == [(2,)]
    (made,) = folder.glob("*.zip")
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        assert "DICOMDIR" in archive.namelist()
