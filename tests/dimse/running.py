"""`manage.py rundimse` as processes of its own, and what can be seen of them from outside."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.dimse.pdus import associate_rq
from tests.migrated import lay_into
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
ECHO = "1.2.840.10008.1.1"
DEVICE = """from apps.worklist.models import Device
Device.objects.create(name="CT", ae_title="CT1", max_associations=6, may_query=True)
"""


class Running:
    """A `rundimse` with children, on a database with the device CT1."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._opened: list[socket.socket] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.wait_for(r"listens on 127\.0\.0\.1:(\d+)"))

    def wait_for(self, pattern: str) -> str:
        """The last group of what the log says, from its beginning on."""
        with self._news:
            self._news.wait_for(lambda: re.search(pattern, self.log), timeout=60)
        found = re.search(pattern, self.log)
        assert found, self.log
        return found[found.lastindex or 0]

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def peak_memory(self) -> dict[int, int]:
        """The most memory each child has had, in KiB."""
        return {child: _peak(child) for child in self.children()}

    def _read(self) -> None:
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stderr:
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()

    def children(self) -> list[int]:
        pid = self.process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(one) for one in path.read_text().split()]

    def wait_for_children(self, count: int) -> list[int]:
        """Once all of them serve: beside its main thread, each has one that accepts."""
        wait_for(
            lambda: [_threads(one) > 1 for one in self.children()] == [True] * count, seconds=30
        )
        return self.children()

    def associate(self, *sop_classes: str) -> socket.socket:
        """An association of CT1, asked for and not answered yet."""
        connection = self.connect()
        connection.sendall(associate_rq(*(sop_classes or (ECHO,))))
        return connection

    def connect(self) -> socket.socket:
        """A connection, closed at the end."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

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


def _threads(process: int) -> int:
    try:
        return len(list(Path(f"/proc/{process}/task").iterdir()))
    except FileNotFoundError:  # it has just ended
        return 0


def _peak(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


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


@contextlib.contextmanager
def department(home: Path, *arguments: str, device: bool = True) -> Iterator[Running]:
    """A `rundimse` on a free port and a database of its own, with the device CT1."""
    environment = {
        **os.environ,
        "OPENPACS_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
        "DATABASE_URL": "",
    }

    def manage(*words: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *words]

    if device:
        lay_into(home, DEVICE)
    process = subprocess.Popen(
        manage("rundimse", "--port", "0", *arguments),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    running = Running(process)
    try:
        yield running
    finally:
        running.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
