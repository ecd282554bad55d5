"""The supervisor: small parts of the tests' own, and once the department itself."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from openpacs import supervisor
from openpacs.health import ask, expected_host
from openpacs.install import ROOT
from openpacs.supervisor import Refused
from tests.servers import free_port

# A supervisor with small parts. Forked from a program of its own: pytest has threads.
SMALL = """
import os, subprocess, sys, time
from openpacs import keeper
from openpacs.processes import Part

def steady():
    print("steady", os.getpid(), flush=True)
    time.sleep(600)

def stubborn():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("stubborn", os.getpid(), flush=True)
    time.sleep(600)

def parent():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("grandchild", child.pid, flush=True)
    child.wait()

def unfinished():
    sys.stdout.write("no end of line")

def broken():
    print("about to end", flush=True)
    raise SystemExit("no such thing")

keeper.DELAYS = (0.1, 0.1)
keeper.STOP_SECONDS = 1.0
parts = [Part(name, globals()[name]) for name in sys.argv[1:]]
sys.exit(keeper.Keeper(parts).run())
"""


class Running:
    """A started program: its lines so far, and waiting for one of them."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def wait_for(self, pattern: str) -> "re.Match[str]":
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no {pattern!r} in:\n{''.join(self.lines)}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        output, _ = self.process.communicate(timeout=30)
        self.lines.append(output)
        return self.process.returncode


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(*arguments: str, environment: dict[str, str] | None = None) -> Running:
        running.append(Running(*arguments, environment=environment))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)
        if one.process.stdout:
            one.process.stdout.close()


@pytest.fixture
def small(start: Start) -> Start:
    return lambda *parts: start(sys.executable, "-c", SMALL, *parts)


def gone(pid: int) -> bool:
    """Whether a process ends within two seconds."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_each_line_of_a_part_carries_its_name(small: Start) -> None:
    running = small("steady")
    running.wait_for(r"^  steady \| steady \d+$")


def test_one_signal_stops_all_and_the_exit_code_is_zero(small: Start) -> None:
    running = small("steady", "parent")
    pids = [
        int(running.wait_for(r"steady (\d+)")[1]),
        int(running.wait_for(r"grandchild (\d+)")[1]),
    ]
    assert running.end(signal.SIGINT) == 0
    assert all(gone(pid) for pid in pids)


def test_a_part_that_ignores_the_stop_is_killed(small: Start) -> None:
    running = small("stubborn")
    pid = int(running.wait_for(r"stubborn (\d+)")[1])
    assert running.end() == 0
    assert gone(pid)
    assert "did not stop in time" in "".join(running.lines)


def test_a_part_that_dies_is_started_again(small: Start) -> None:
    running = small("steady")
    first = int(running.wait_for(r"steady (\d+)")[1])
    os.kill(first, signal.SIGKILL)
    running.wait_for(r"steady ended \(killed by SIGKILL\)")
    assert int(running.wait_for(r"steady (\d+)$")[1]) != first


def test_what_a_dead_part_had_started_ends_with_it(small: Start) -> None:
    running = small("parent")
    grandchild = int(running.wait_for(r"grandchild (\d+)")[1])
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    assert gone(grandchild)


def test_a_part_that_keeps_dying_stops_everything_loudly(small: Start) -> None:
    running = small("broken", "steady")
    assert running.finish() == 1
    output = "".join(running.lines)
    assert "broken ended 3 times" in output
    assert "no such thing" in output


def test_no_part_outlives_a_killed_supervisor(small: Start) -> None:
    running = small("steady")
    pid = int(running.wait_for(r"steady (\d+)")[1])
    running.end(signal.SIGKILL)
    assert gone(pid)


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Refused, match=f"Port {port} is taken.*OPENPACS_HTTP_PORT"):
            supervisor.check_ports("127.0.0.1", {"OPENPACS_HTTP_PORT": port})


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(Refused, match="OPENPACS_BIND"):
        supervisor.check_ports("192.0.2.1", {"OPENPACS_HTTP_PORT": free_port()})


def test_a_home_is_held_by_one_supervisor_only(tmp_path: Path) -> None:
    held = supervisor.only_one(tmp_path)
    second = supervisor.only_one(tmp_path)
    with held, pytest.raises(Refused, match=f"already running .* {os.getpid()}"):
        second.__enter__()
    with supervisor.only_one(tmp_path):
        pass


def test_a_last_line_without_end_is_shown(small: Start) -> None:
    running = small("unfinished")
    assert running.finish() == 1
    assert "unfinished | no end of line" in "".join(running.lines)


@pytest.mark.parametrize(
    ("allowed", "name"),
    [(["*"], "localhost"), ([".example.org"], "example.org"), ([], "localhost")],
)
def test_the_health_check_calls_the_server_by_a_name_it_accepts(
    allowed: list[str], name: str
) -> None:
    assert expected_host(allowed) == name


def test_the_health_check_of_a_silent_port_is_no() -> None:
    assert not ask(free_port())


def test_the_health_page_asks_the_database(db: None, client: Client) -> None:
    answer = client.get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.fault
@pytest.mark.engines
def test_the_department_starts_answers_and_stops(start: Start, tmp_path: Path) -> None:
    ports = {
        name: str(free_port())
        for name in (
            "OPENPACS_HTTP_PORT",
            "OPENPACS_DICOM_PORT",
            "OPENPACS_HL7_PORT",
            "OPENPACS_EVENTS_PORT",
        )
    }
    environment = {
        **ports,
        "OPENPACS_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
        "LOG_LEVEL": "INFO",
    }
    if os.environ.get("REDIS_URL"):
        environment["DATABASE_URL"] = ""  # the tests' own database is in use
    department = start(sys.executable, "-m", "openpacs.supervisor", environment=environment)
    department.wait_for(r"Make the first user here: http\S+/setup/\S+")
    department.wait_for(r"Ready after [\d.]+ s")
    refused = start(sys.executable, "-m", "openpacs.supervisor", environment=environment)
    assert refused.finish() == 1
    assert "already running" in "".join(refused.lines)
    assert department.end(signal.SIGINT) == 0
    of_parts = [line for line in department.lines if not line.startswith("openpacs |")]
    timeless = [line for line in of_parts if not re.search(r"\| \d{4}-\d\d-\d\d ", line)]
    assert timeless == [], "every line of a part has a time"
    for port in ports.values():
        socket.create_server(("127.0.0.1", int(port))).close()
