"""Several listener processes on one port, as real processes."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dimse.pdus import associate_rq

ROOT = Path(__file__).parents[2]
ECHO = "1.2.840.10008.1.1"
Run = Callable[..., "Running"]


class Running:
    """A `rundimse` with children, on a database with the device CT1."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = int(self.wait_for(r"listens on 127\.0\.0\.1:(\d+)"))

    def wait_for(self, pattern: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found[found.lastindex or 0]
        raise AssertionError("".join(self.lines))

    def children(self) -> list[int]:
        pid = self.process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(one) for one in path.read_text().split()]

    def wait_for_children(self, count: int) -> list[int]:
        deadline = time.monotonic() + 30
        while len(found := self.children()) != count:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def associate(self) -> socket.socket:
        """An association of CT1, asked for and not answered yet."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(associate_rq(ECHO))
        return connection

    def owner_or_none(self, connection: socket.socket) -> int | None:
        try:
            return self.owner(connection)
        except AssertionError:
            return None

    def owner(self, connection: socket.socket) -> int:
        """The child that has this connection."""
        ours = connection.getsockname()[1]
        inode = _inode(self.port, ours)
        for child in self.children():
            for link in Path(f"/proc/{child}/fd").iterdir():
                if link.is_symlink() and str(link.readlink()) == f"socket:[{inode}]":
                    return child
        raise AssertionError("nobody has the connection")


def _inode(local: int, remote: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(one.rpartition(":")[2], 16) for one in fields[1:3]]
        if ports == [local, remote]:
            return fields[9]
    raise AssertionError("no such connection")


def answer_of(connection: socket.socket) -> bytes:
    return connection.recv(4096)


def is_gone(process: int) -> bool:
    """Ended, even where nobody has collected it yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    started: list[Running] = []
    environment = {
        **os.environ,
        "OPENPACS_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
        "DATABASE_URL": "",
    }

    def manage(*arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    def make_device() -> None:
        subprocess.run(manage("migrate", "-v0"), env=environment, check=True, timeout=120)
        make = "from apps.worklist.models import Device as D; D.objects.create("
        make += "name='CT', ae_title='CT1', max_associations=6)"
        subprocess.run(manage("shell", "-c", make), env=environment, check=True, timeout=60)

    def begin(*arguments: str, device: bool = True) -> Running:
        if device:
            make_device()
        process = subprocess.Popen(
            manage("rundimse", "--port", "0", *arguments),
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running = Running(process)
        started.append(running)
        return running

    yield begin
    for running in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)  # its children too
        running.process.wait()
        assert running.process.stderr is not None
        running.process.stderr.close()


@pytest.mark.fault
def test_processes_share_the_port_and_the_limits(run: Run) -> None:
    running = run("--processes", "3")
    children = running.wait_for_children(3)
    crowd = [running.associate() for _ in range(6)]
    assert [answer_of(one)[0] for one in crowd] == [2] * 6
    owners = Counter(running.owner(one) for one in crowd)
    assert set(owners) == set(children)
    assert max(owners.values()) <= 3
    # The device may have six, wherever they are.
    begun = time.monotonic()
    one_more = running.associate()
    assert answer_of(one_more) == bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))
    assert time.monotonic() - begun < 1

    # A child is killed: what it held is free again, and another takes its place.
    victim = running.owner(crowd[0])
    os.kill(victim, signal.SIGKILL)
    running.wait_for("is replaced")
    again = running.associate()
    assert answer_of(again)[0] == 2
    assert victim not in running.wait_for_children(3)
    survivor = next(one for one in crowd if running.owner_or_none(one))
    survivor.sendall(struct.pack(">BxL4x", 5, 4))
    assert answer_of(survivor)[0] == 6

    # One child alone stops: the port stays open.
    os.kill(running.children()[0], signal.SIGTERM)
    running.wait_for("is replaced")
    last = running.associate()
    assert answer_of(last)[0] == 2

    begun = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=10) == 0
    assert time.monotonic() - begun < 5
    for one in (*crowd, one_more, again, last):
        one.close()


@pytest.mark.fault
def test_children_end_with_their_parent(run: Run) -> None:
    running = run("--processes", "2", device=False)
    children = running.wait_for_children(2)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    deadline = time.monotonic() + 10
    while not all(map(is_gone, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
