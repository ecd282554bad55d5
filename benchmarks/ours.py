"""openpacs as shipped: the whole department, started by its supervisor."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import clients, machine
from benchmarks.clients import Destination, Server
from benchmarks.engines import Engine
from benchmarks.processes import BenchmarkError, Process, run, running, tail
from openpacs.install import ROOT
from tests.servers import free_port

TITLE = "OPENPACS"
START_SECONDS = 90.0
SETTLE_SECONDS = 10.0
FINISH_SECONDS = 60


class Openpacs:
    """Keeps its homes below `folder`; `running` starts from a fresh one unless told."""

    title = TITLE

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        destinations: Sequence[tuple[Destination, int]] = (),
        *,
        database: str = "cell",
    ) -> None:
        """`destinations`: each with how many associations it is sent to over."""
        self.folder, self.engine, self.destinations = folder, engine, destinations
        self.home, self.prepared = folder / "home", folder / "prepared"
        self.database = database
        self.log = folder / "department.log"
        self.http_port = 0

    def prepare(self) -> None:
        """Migrate an empty department and let the benchmark's devices in, once."""
        self.prepared.mkdir(parents=True)
        environment = self.environment(self.prepared, "prepared")

        def migrate() -> None:
            self._run(environment, "manage.py", "migrate", "--verbosity", "0")
            self._run(environment, "-m", "benchmarks.filling", "devices", self._devices())

        self.engine.prepare(self.prepared, migrate)

    def beside(self, folder: Path, database: str) -> "Openpacs":
        """Another department on the same engine, prepared already."""
        other = Openpacs(folder, self.engine, self.destinations, database=database)
        other.prepared = self.prepared
        return other

    def renew(self) -> None:
        """An empty department."""
        machine.set_aside(self.home)
        self.engine.renew(self.prepared, self.home, self.database)

    @contextmanager
    def running(self, *, fresh: bool = True, nodelay: bool = True) -> Iterator[Server]:
        if fresh:
            self.renew()
        environment = self.environment(self.home, self.database)
        port, *others = {free_port() for _ in range(10)}
        self.http_port = others[0]
        environment |= {
            "OPENPACS_DICOM_PORT": str(port),
            "OPENPACS_HTTP_PORT": str(others[0]),
            "OPENPACS_HL7_PORT": str(others[1]),
            "OPENPACS_EVENTS_PORT": str(others[2]),
        }
        self.log.write_bytes(b"")
        command = [sys.executable, "-m", "openpacs.supervisor"]
        with running(
            command, log=self.log, environment=environment, stop=signal.SIGINT, folder=ROOT
        ) as process:
            self._wait_until_ready(process)
            roots = (process.pid, *self.engine.roots)
            wait_until_settled(roots)
            try:
                yield Server(TITLE, port, roots, self.folder, nodelay)
            except BenchmarkError as problem:
                raise BenchmarkError(f"{problem}\nIts log ends:\n{tail(self.log)}") from None

    def environment(self, home: Path, database: str) -> dict[str, str]:
        """As shipped: of our settings only where it lives and what it keeps rows in."""
        kept = {
            name: value
            for name, value in clients.environment(nodelay=False).items()
            if not name.startswith(("OPENPACS_", "DICOM_STORAGE"))
        }
        return {
            **kept,
            **self.engine.settings(database),
            "OPENPACS_HOME": str(home),
            "PYTHONUNBUFFERED": "1",
        }

    def fill(self, *words: str) -> str:
        """Write rows into the current home's database (see benchmarks.filling)."""
        environment = self.environment(self.home, self.database)
        return self._run(environment, "-m", "benchmarks.filling", *words)

    def finish(self, server: Server) -> None:
        """Let it end what follows on arrival: a home used again would do it in the next cell."""
        self.fill("settled", str(FINISH_SECONDS))
        wait_until_settled(server.roots)

    def _run(self, environment: dict[str, str], *words: str) -> str:
        return run([sys.executable, *words], environment=environment, folder=ROOT, seconds=3600)

    def _devices(self) -> str:
        devices: list[dict[str, str | int]] = [{"ae_title": clients.TITLE}]
        devices += [
            {"ae_title": one.title, "port": one.port, "parallel_associations": associations}
            for one, associations in self.destinations
        ]
        return json.dumps(devices)

    def _wait_until_ready(self, process: Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if re.search(rb"Ready after [\d.]+ s", self.log.read_bytes()):
                return
            time.sleep(0.1)
        raise BenchmarkError(f"openpacs did not start:\n{tail(self.log)}")


def wait_until_settled(roots: Sequence[int], seconds: float = SETTLE_SECONDS) -> None:
    """Wait, at most so long, until the processes have done what they do after a start."""
    deadline = time.monotonic() + seconds
    spent = machine.cpu_seconds(roots)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        before, spent = spent, machine.cpu_seconds(roots)
        if spent - before <= 0.03:
            return


def versions() -> dict[str, str]:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return {
        "openpacs": " ".join(filter(None, (found[1] if found else "?", _commit()))),
        "Python": ".".join(map(str, sys.version_info[:3])),
    }


def _commit() -> str:
    """The short name of the commit; empty where this is no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""
    done = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
