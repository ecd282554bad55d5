"""Orthanc of the distribution: SQLite, its defaults, the DICOMweb plugin, an empty storage."""

import json
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.clients import Destination, Server, environment
from benchmarks.processes import BenchmarkError, run, running, wait_for_port
from tests.servers import free_port

TITLE = "ORTHANC"
PROGRAMS = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
PLUGINS = (Path("/usr/share/orthanc/plugins"), Path("/usr/local/share/orthanc/plugins"))
PLUGIN = "libOrthancDicomWeb.so"


class Orthanc:
    """Keeps its log, and its storage, below `folder`; `running` empties that unless told."""

    title = TITLE

    def __init__(
        self,
        folder: Path,
        destinations: Sequence[Destination] = (),
        *,
        storage: Path | None = None,
    ) -> None:
        self.folder = folder
        self.storage = storage or folder / "storage"
        self.destinations = destinations
        self.http_port = 0

    @contextmanager
    def running(self, *, fresh: bool = True, nodelay: bool = True) -> Iterator[Server]:
        if fresh:
            machine.set_aside(self.storage)
        self.storage.mkdir(parents=True, exist_ok=True)
        port, self.http_port = free_port(), free_port()
        configuration, log = self.folder / "orthanc.json", self.folder / "orthanc.log"
        configuration.write_text(json.dumps(self._configuration(port)))
        command = [_program(), str(configuration)]
        surroundings = environment(nodelay=nodelay) | {"LC_ALL": "C.UTF-8"}
        with running(command, log=log, environment=surroundings, stop=signal.SIGTERM) as process:
            wait_for_port(self.http_port, process, log)
            wait_for_port(port, process, log)
            yield Server(TITLE, port, (process.pid,), self.folder, nodelay)

    def statistics(self) -> dict[str, Any]:
        """What it says about itself over HTTP (CountInstances and others)."""
        address = f"http://127.0.0.1:{self.http_port}/statistics"
        with urllib.request.urlopen(address, timeout=60) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    def _configuration(self, port: int) -> dict[str, Any]:
        return {
            "Name": "Benchmark",
            "StorageDirectory": str(self.storage),
            "IndexDirectory": str(self.storage),
            "DicomAet": TITLE,
            "DicomPort": port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            # What suits it best, and is not what every version of it does by itself.
            "KeepAlive": True,
            "TcpNoDelay": True,
            # Anybody may do anything: it is spared the checks that openpacs makes.
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {
                one.title: [one.title, "127.0.0.1", one.port] for one in self.destinations
            },
            "Plugins": [str(_plugin())],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }


def versions() -> dict[str, str]:
    said = run([_program(), "--version"], environment=environment())
    found = re.search(r"Orthanc ([\w.]+)", said)
    return {"Orthanc": found[1] if found else "?", "DICOMweb plugin": _plugin_version()}


def _plugin_version() -> str:
    # Debian names the library by its version and links to it.
    found = re.search(r"\.so\.([\d.]+)$", str(_plugin().resolve()))
    return found[1] if found else "?"


def _program() -> str:
    found = shutil.which("Orthanc", path=PROGRAMS)
    if found is None:
        raise BenchmarkError("Orthanc is not installed; on Debian: apt-get install orthanc")
    return found


def _plugin() -> Path:
    for folder in PLUGINS:
        if (folder / PLUGIN).exists():
            return folder / PLUGIN
    raise BenchmarkError("The DICOMweb plugin is missing: apt-get install orthanc-dicomweb")
