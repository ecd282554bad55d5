"""Processes that are killed and disks that fail: what was acknowledged is there, whole."""

import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE

from tests.faults import Ledger, Rig, reckon, rig, storm
from tests.servers import postgres, redis

pytestmark = pytest.mark.fault
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def engines() -> Iterator[dict[str, str]]:
    """Those the suite runs on; never its own database."""
    with ExitStack() as servers:
        chosen = {}
        if os.environ.get("REDIS_URL"):
            chosen["DATABASE_URL"] = servers.enter_context(postgres())
            chosen["REDIS_URL"] = servers.enter_context(redis())
        yield chosen


@pytest.mark.engines
def test_nothing_acknowledged_is_lost_when_processes_are_killed(engines: dict[str, str]) -> None:
    ledger = Ledger(wanted=80)
    with rig(engines) as target:
        storm(target, ledger, kills=3, chance=random.Random(7))
        found = reckon(target, ledger)
    assert found["acknowledged"] >= 80
    assert (found["lost"], found["altered"], found["rows without a file"]) == (0, 0, 0)


@pytest.fixture
def strace() -> str:
    program = shutil.which("strace")
    if program is None and not os.environ.get("CI"):
        pytest.skip("strace is not installed")
    assert program, "strace is not installed"
    return program


def send(target: Rig, count: int) -> list[tuple[str, int]]:
    """SOP Instance UID and status of so many objects, on one association."""
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT)
    association = entity.associate("127.0.0.1", target.port, ae_title="OPENPACS")
    assert association.is_established
    ledger, said = Ledger(count), []
    for _ in range(count):
        image = ledger.next_object()
        time.sleep(0.002)  # pynetdicom's own thread might take the next answer away
        status = association.send_c_store(image).get("Status", -1)
        said.append((str(image.SOPInstanceUID), int(status)))
    association.abort()  # nobody indexes here: a release would wait for that
    return said


def test_success_is_said_after_file_and_folder_are_synced(strace: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=openat,fsync,rename,sendto"
    with rig({}, programs=()) as target:
        target.start("listener", under=[strace, "-f", "-qq", "-e", calls, "-o", str(trace)])
        target.wait_until_listening()
        assert {status for _uid, status in send(target, 25)} == {0}
    told = 0
    for lines in threads_of(trace.read_text()).values():
        steps = "".join(step_of(line) for line in lines)
        # Open the part, sync it, rename it, open its folder, sync that; only then answer.
        told += len(re.findall("PSRDSA", steps))
        assert steps.count("R") == len(re.findall("PSRDSA", steps)), steps
    assert told == 25


def threads_of(trace: str) -> dict[str, list[str]]:
    """The system calls of each thread; one that was interrupted stands where it ended."""
    found: dict[str, list[str]] = {}
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call
        else:
            found.setdefault(thread, []).append(begun.pop(thread, "") + call.strip())
    return found


def step_of(call: str) -> str:
    """One letter for a step of storing, nothing for another call."""
    name = call.strip().partition("(")[0]
    if name == "openat" and ".dcm.part" in call:
        return "P"
    if name == "fsync":
        return "S"
    if name == "rename" and ".dcm.part" in call:
        return "R"
    if name == "openat" and "spool/incoming" in call:
        return "D"
    return "A" if name == "sendto" else ""


@pytest.mark.parametrize(
    ("call", "error"), [("fsync", "EIO"), ("writev", "ENOSPC"), ("rename", "EIO")]
)
def test_a_failing_disk_is_never_answered_with_success(call: str, error: str, strace: str) -> None:
    inject = f"inject={call}:error={error}:when=11..20"
    look = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    with rig({}, programs=()) as target:
        target.start("listener", under=look)
        target.wait_until_listening()
        said = send(target, 40)
        kept = {
            str(dcmread(path).SOPInstanceUID)
            for path in (target.home / "spool" / "incoming").glob("*.dcm")
        }
    refused = [uid for uid, status in said if status == 0xA700]
    stored = [uid for uid, status in said if status == 0]
    assert len(refused) + len(stored) == 40
    assert len(refused) >= 4  # of ten calls that fail, one store makes two or three
    assert set(stored) <= kept
    assert said[-1][1] == 0
