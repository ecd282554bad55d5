"""Metadata of all sample files, beside those of Orthanc's DICOMweb plugin and of pydicom."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydicom import dcmread

from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicomweb.differences import (
    CLASSES,
    PAGE,
    Difference,
    classes_of,
    differences,
    page,
)
from tests.dicomweb.orthanc import PLUGIN, WebOrthanc
from tests.dicomweb.test_retrieve import get
from tests.studies.test_samples import comparable, rows_of

pytestmark = pytest.mark.alike

ADDED = ("00083002", "7FE00008", "7FE00009", "7FE00010")
STORED = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[WebOrthanc]:
    peer = WebOrthanc(tmp_path)
    yield peer
    peer.stop()


@pytest.mark.django_db
@pytest.mark.samples
@pytest.mark.peer("Orthanc", PLUGIN)
@pytest.mark.filterwarnings("ignore")
def test_metadata_are_those_of_two_other_readers_but_for_what_is_explained(
    samples: Path, spool: Spool, origin: Origin, radiologist: Client, orthanc: WebOrthanc
) -> None:
    paths = [path for path, _ in rows_of(samples, "must be accepted")]
    for start in range(0, len(paths), 50):
        batch = [spool.write([path.read_bytes()]) for path in paths[start : start + 50]]
        store_instances(batch, origin=origin)
    names = dict(Instance.objects.values_list("sop_instance_uid", "file_name"))
    for name in names.values():
        with stored_files().open(name) as file:
            orthanc.store(file.read())
    found = Findings()
    for study in Study.objects.values_list("study_instance_uid", flat=True):
        theirs = {uid_of(row): row for row in orthanc.metadata(study)}
        answer = radiologist.get(f"/dicom-web/studies/{study}/metadata")
        for ours in json.loads(answer.getvalue()):
            uid = uid_of(ours)
            found.looked_at += 1
            found.misread += [] if is_as_read(ours, names[uid]) else [uid]
            found.lost += [one for one in pointed_to(ours) if not resolves(radiologist, one)]
            if uid in theirs:  # Orthanc does not take everything that we do
                found.compare(ours, theirs[uid])
    assert not found.misread
    assert not found.lost
    assert not found.unexplained
    assert found.classes == {kind.seen for kind in CLASSES}
    assert found.compared > 600
    assert found.looked_at == len(names)


@dataclass
class Findings:
    looked_at: int = 0
    compared: int = 0
    misread: list[str] = field(default_factory=list)  # otherwise than pydicom does
    lost: list[str] = field(default_factory=list)  # addresses that lead nowhere
    unexplained: list[Difference] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)

    def compare(self, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        self.compared += 1
        for one in differences(ours, theirs):
            fitting = [kind.seen for kind in classes_of(one)]
            self.classes.update(fitting[:1])
            self.unexplained += [] if fitting else [one]


def test_the_table_of_differences_is_the_one_that_is_tested() -> None:
    assert PAGE.read_text() == page()


def uid_of(row: dict[str, Any]) -> str:
    return str(row["00080018"]["Value"][0])


def is_as_read(made: dict[str, Any], name: str) -> bool:
    with stored_files().open(name) as file:
        dataset = dcmread(file, stop_before_pixels=True)
        said = comparable(dataset.to_json_dict(64, lambda element: f"{element.tag:08X}"))
    ours = comparable({tag: value for tag, value in made.items() if tag not in ADDED})
    for tag in ("0020000D", "0020000E"):
        if "Value" not in said.get(tag, {}):  # objects without a study get one, and it is said so
            said.pop(tag, None)
            ours.pop(tag)
            ours.pop("04000561", None)
    return bool(ours == said)


def pointed_to(dataset: dict[str, Any]) -> Iterator[str]:
    for element in dataset.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        if element["vr"] == "SQ":
            for item in element.get("Value", []):
                yield from pointed_to(item)


def resolves(client: Client, address: str) -> bool:
    answer = get(client, address, STORED)
    return bool(answer.status_code == 200 and len(answer.getvalue()) > 100)
