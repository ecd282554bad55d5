"""PostgreSQL and Redis for tests: real servers on free ports, in folders that go away."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.prepare import find_program
from tests.waiting import listens

START_SECONDS = 60
_PORTS = range(20_000, 32_000)
_LAST_PORT = Path(tempfile.gettempdir()) / f"openpacs-test-port-{os.getuid()}"


class NoServer(Exception):
    """A server is not installed or did not start; the message says which, and its log."""


def free_port() -> int:
    """A port that nobody has, and that nobody is given before the others had their turn.

    From below those that the kernel gives away (32768 and up): it may take a while until the
    server that it is for listens, and another test's would answer there meanwhile.
    """
    with _LAST_PORT.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of all processes of this machine
        file.seek(0)
        turn = _PORTS.index(int(file.read() or _PORTS[0]))
        port: int = next(one for one in (*_PORTS[turn + 1 :], *_PORTS[: turn + 1]) if _is_free(one))
        file.truncate(0)
        file.write(str(port))
    return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


# The tests' data need not outlive the machine.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres(settings: Mapping[str, str] = FORGETFUL) -> Iterator[str]:
    """Run a PostgreSQL with an empty database; yields its DATABASE_URL."""
    initdb, server = _program("initdb"), _program("postgres")
    port = free_port()
    with _folder() as folder:
        data = folder / "data"
        with (folder / "log").open("wb") as log:
            subprocess.run(
                _as_postgres(
                    *(initdb, "-D", str(data), "-U", "openpacs", "-A", "trust", "-N"),
                    *("--encoding=UTF8", "--locale=C.UTF-8"),
                ),
                stdout=log,
                stderr=log,
                check=True,
                cwd=folder,
            )
        where = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "max_connections": 200,
        }
        options = [
            option
            for name, value in (where | dict(settings)).items()
            for option in ("-c", f"{name}={value}")
        ]
        command = _as_postgres(server, "-D", str(data), *options)
        with _running(command, port, folder, stop=signal.SIGINT):
            _when_up(port, folder)
            yield f"postgres://openpacs@127.0.0.1:{port}/postgres"


@contextmanager
def redis() -> Iterator[str]:
    """Run an empty Redis that keeps nothing; yields its REDIS_URL."""
    server = _program("redis-server")
    port = free_port()
    with _folder() as folder:
        command = [
            *(server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--databases", "32"),
        ]
        with _running(command, port, folder, stop=signal.SIGTERM):
            yield f"redis://127.0.0.1:{port}"


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise NoServer(f"{name} is not installed; python -m tests.prepare says how to get it")
    return found


def _as_postgres(*command: str) -> list[str]:
    # The server refuses to run as root.
    if os.geteuid() != 0:
        return list(command)
    return [
        *("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"),
        *("--pdeathsig", "SIGINT"),
        *command,
    ]


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="openpacs-server-"))
    if os.geteuid() == 0 and find_program("initdb"):
        shutil.chown(folder, "postgres")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    command: list[str], port: int, folder: Path, *, stop: signal.Signals
) -> Iterator[None]:
    with (folder / "log").open("ab") as log:
        # A session of its own: Ctrl-C ends the tests first, and they then end the server.
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        _wait_for(port, process, folder)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if listens(port):
            return
        time.sleep(0.05)
    raise NoServer(f"{process.args!r} did not start:\n{(folder / 'log').read_text()}")


def _when_up(port: int, folder: Path) -> None:
    """PostgreSQL takes connections before it takes queries."""
    command = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if subprocess.run(command, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise NoServer(f"PostgreSQL did not become ready:\n{(folder / 'log').read_text()}")
