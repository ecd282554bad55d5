"""The whole department, started as a user starts it, and driven from outside."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from openpacs.install import ROOT
from tests.servers import free_port

START_SECONDS = 60


class Department:
    """One running department with a home and ports of its own.

    `engines` is what moves it off the embedded default: DATABASE_URL, REDIS_URL.
    """

    def __init__(self, home: Path, engines: Mapping[str, str]) -> None:
        self.home = home
        self.http_port, self.dicom_port, self.hl7_port = free_port(), free_port(), free_port()
        self.events_port = free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": "",
            "REDIS_URL": "",
            **engines,
            "DJANGO_SETTINGS_MODULE": "openpacs.settings",
            "OPENPACS_HOME": str(home / "var"),
            "OPENPACS_HTTP_PORT": str(self.http_port),
            "OPENPACS_DICOM_PORT": str(self.dicom_port),
            "OPENPACS_HL7_PORT": str(self.hl7_port),
            "OPENPACS_EVENTS_PORT": str(self.events_port),
            "OPENPACS_STUDY_QUIET_SECONDS": "2",
            "PYTHONUNBUFFERED": "1",
            "TCP_NODELAY": "1",  # DCMTK otherwise waits for delayed acknowledgements
        }
        self._log = home / "department.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://localhost:{self.http_port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "openpacs.supervisor"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            self.wait_for(r"Ready after ([\d.]+) s")
        except AssertionError:
            self.stop()  # or a later test would be blamed for it
            raise

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=30)

    def wait_for(self, pattern: str, seconds: float = START_SECONDS) -> "re.Match[str]":
        """The first match in what the department has said, now or within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log):
                return found
            time.sleep(0.1)
        raise AssertionError(f"the department never said {pattern!r}:\n{self.log}")

    def manage(self, *arguments: str) -> str:
        """Run one management command; its output. Raises where it fails."""
        return self.run(sys.executable, "manage.py", *arguments)

    def run(self, *command: str) -> str:
        """Run a program with this department's settings; both its outputs."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=300,
        )
        if done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def dcmtk(self, tool: str, *arguments: str) -> str:
        """Run a DCMTK program; those of a virtual environment bear the same names."""
        path = os.pathsep.join(
            folder
            for folder in os.environ["PATH"].split(os.pathsep)
            if not folder.startswith(str(ROOT))
        )
        found = shutil.which(tool, path="/usr/bin" + os.pathsep + path)
        assert found, f"{tool} of DCMTK is not installed"
        return self.run(found, *arguments)
