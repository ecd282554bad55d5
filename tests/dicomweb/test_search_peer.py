"""QIDO-RS beside Orthanc's, on the public sample data: the same answers, differences named."""

import csv
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.audit.services import Origin
from apps.dicom.dates import parse_time
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from benchmarks.orthanc import Orthanc

pytestmark = [pytest.mark.django_db, pytest.mark.peer("Orthanc"), pytest.mark.samples]

LARGEST = 400_000  # bytes of a file
UIDS = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
# Ours are always in UTF-8; addresses of ours are absolute paths, of theirs whole URLs.
OTHERWISE = {"00080005", "00081190"}
# Orthanc answers in its own character set, and drops what that cannot write.
NAMES = {"00100010", "00080090", "00081030", "0008103E"}

Row = dict[str, dict[str, Any]]
Ask = Callable[[str], list[Row]]


@pytest.fixture
def files(samples: Path) -> list[Path]:
    """Small files of different objects, one for each class and character set."""
    found: dict[tuple[str, str], Path] = {}
    objects: set[str] = set()
    with (samples / "MANIFEST.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            fitting = row["kind"] == "dicom" and "accepted" in row["expected"]
            small = fitting and int(row["bytes"]) <= LARGEST
            kind = (row["sop_class_or_message"], row["charset"])
            if small and kind not in found and row["sop_instance_uid"] not in objects:
                found[kind] = samples / row["path"]
                objects.add(row["sop_instance_uid"])
    return sorted(found.values())


@pytest.fixture
def theirs(files: list[Path], tmp_path: Path) -> Iterator[Ask]:
    orthanc = Orthanc(tmp_path)
    with orthanc.running():
        address = f"http://127.0.0.1:{orthanc.http_port}"

        def call(path: str, body: bytes | None = None) -> Any:
            with urllib.request.urlopen(f"{address}/{path}", body, timeout=60) as answer:
                return json.load(answer)

        for path in files:
            # It refuses a few that we take: palettes without a patient, a damaged one.
            with suppress(urllib.error.HTTPError):
                call("instances", path.read_bytes())
        yield lambda query: call(f"dicom-web/{query}")


@pytest.fixture
def ours(files: list[Path], spool: Spool, origin: Origin, radiologist: Client) -> Ask:
    store_instances([spool.write([path.read_bytes()]) for path in files], origin=origin)
    return lambda query: list(radiologist.get(f"/dicom-web/{query}").json())


def test_every_attribute_that_both_answer_is_the_same(ours: Ask, theirs: Ask) -> None:
    for kind, tag in UIDS.items():
        mine, others = ({row[tag]["Value"][0]: row for row in ask(kind)} for ask in (ours, theirs))
        both = mine.keys() & others.keys()
        assert len(both) > 40
        wrong = {uid: different(mine[uid], others[uid]) for uid in both}
        assert {uid: tags for uid, tags in wrong.items() if tags} == {}


def different(mine: Row, other: Row) -> list[tuple[str, Any, Any]]:
    if mine["00201208"]["Value"] != [1]:
        return []  # files of one study contradict one another: of us the first counts
    return [
        (tag, mine.get(tag), found)
        for tag, found in other.items()
        if tag not in OTHERWISE and found.get("Value") and not same(tag, mine.get(tag, {}), found)
    ]


def same(tag: str, mine: dict[str, Any], other: dict[str, Any]) -> bool:
    if mine.get("vr") != other["vr"]:
        return False
    if mine["vr"] == "TM":
        return parse_time(mine["Value"][0]) == parse_time(other["Value"][0])
    if tag in NAMES and not json.dumps(mine, ensure_ascii=False).isascii():
        return True
    return bool(mine.get("Value") == other["Value"])
