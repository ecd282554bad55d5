"""The processes of a workshop: what they may not do, and what becomes of bad jobs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.dicom import parcels, workshop
from apps.dicom.workshop import BusyError, JobDiedError, JobError, Workshop
from tests.threads import at_once
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters system calls")


@pytest.fixture
def small() -> Iterator[Workshop]:
    made = Workshop(processes=1, seconds=1, memory_bytes=1024 * MIB)
    yield made
    made.close()


def confined(attempt: str) -> str:
    """What a confined process says of the exception that some lines of Python end with."""
    program = (
        "import socket, subprocess, os, builtins\n"
        "from apps.dicom.confinement import confine, limit_memory, limit_cpu\n"
        f"confine(memory_bytes={1024 * MIB})\n"
        f"try:\n    {attempt}\n    print('done')\n"
        "except BaseException as error:\n    print(type(error).__name__)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or f"ended with {said.returncode}"


@linux
@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("socket.socket()", "PermissionError"),
        ("socket.socketpair()", "PermissionError"),
        ("open('/etc/passwd')", "PermissionError"),
        ("open('/tmp/openpacs-test', 'w')", "PermissionError"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("os.kill(1, 0)", "PermissionError"),
        ("bytearray(2 << 30)", "MemoryError"),
        ("limit_memory(1); bytearray(64 << 20)", "MemoryError"),
        ("sum(range(10))", "done"),
    ],
)
def test_a_confined_process_reaches_nothing(attempt: str, outcome: str) -> None:
    assert confined(attempt) == outcome


@linux
def test_a_job_that_takes_too_much_time_ends_with_its_process() -> None:
    assert confined("limit_cpu(0)\n    while True: pass") == "ended with -24"  # SIGXCPU


@linux
def test_processes_say_what_confines_them(small: Workshop) -> None:
    held, _ = small.do("confinement", {}, [])
    assert {"limits", "filter"} <= set(held["holds"])


def test_a_job_that_fails_says_why_and_the_next_is_done(small: Workshop) -> None:
    with pytest.raises(JobError, match="cannot be decoded"):
        small.do("transcode", {}, [b"nothing"])
    assert small.do("confinement", {}, [])


def test_a_process_that_dies_at_work_takes_nothing_along(
    small: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.do("confinement", {}, [])
    (bench,) = small._idle
    monkeypatch.setattr(bench, "_wall", 0.0)  # killed as soon as it is asked
    with pytest.raises(JobDiedError):
        small.do("transcode", {"source": "1.2", "target": "1.2"}, [bytes(MIB)])
    assert not small._idle
    assert small.do("confinement", {}, [])


def test_who_waits_too_long_for_a_process_is_told(
    small: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "WAITING_SECONDS", 0.01)
    with small._places, pytest.raises(BusyError):
        small.do("confinement", {}, [])


def test_processes_are_renewed_before_they_leak_too_much(
    small: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "JOBS_PER_PROCESS", 1)
    small.do("confinement", {}, [])
    assert not small._idle


def test_idle_processes_give_their_memory_back(
    small: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "IDLE_SECONDS", 0.1)
    small.do("confinement", {}, [])
    wait_for(lambda: not small._idle)
    assert small.do("confinement", {}, [])


def test_many_threads_share_the_processes(small: Workshop) -> None:
    at_once(lambda _thread: small.do("confinement", {}, [bytes(MIB)]), range(8))
    assert len(small._idle) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x02\0\0\0[]",
        b"\x04\0\0\0null",
        b"\x03\0\0\0{{{",
        b'\x0e\0\0\0{"sizes":[-1]}',
        b'\x0f\0\0\0{"sizes":[1e9]}',
        b'\x12\0\0\0{"sizes":[999999]}',
        b'\x0d\0\0\0{"sizes":[5]}1234',
    ],
)
def test_nonsense_from_a_process_is_no_answer(said: bytes, tmp_path: Path) -> None:
    (tmp_path / "said").write_bytes(said)
    with (tmp_path / "said").open("rb") as stream, pytest.raises(parcels.ParcelError):
        parcels.receive(stream, most_bytes=1000)
