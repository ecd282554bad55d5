"""Orthanc, as a peer that asks and is asked."""

import json
import subprocess
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tests.dimse.archives import QUIET
from tests.prepare import find_program
from tests.servers import free_port
from tests.waiting import wait_for_port


class Orthanc:
    """One with an empty storage; `address` is that of its REST interface."""

    def __init__(self, folder: Path, *, knows_us_at: int) -> None:
        self.port, self._http = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self._http}"
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(folder, knows_us_at)))
        program = find_program("Orthanc")
        assert program, "Orthanc is not installed"
        self._process = subprocess.Popen(
            [program, str(configuration)],
            env={**QUIET, "LC_ALL": "C.UTF-8"},  # without it reads no Japanese
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self._http, seconds=30)
        wait_for_port(self.port, seconds=30)

    def stop(self) -> None:
        # Not terminated: in good order it takes four seconds, and nothing of it is kept.
        self._process.kill()
        self._process.wait(timeout=20)

    def keep(self, image: Dataset) -> None:
        target = BytesIO()
        image.save_as(target, enforce_file_format=True)
        self.call("/instances", target.getvalue())

    def call(self, path: str, body: Any = None) -> Any:
        """GET, or POST where there is a body: JSON, or bytes as they are."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _configuration(self, folder: Path, knows_us_at: int) -> dict[str, Any]:
        return {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": "ORTHANC",
            # It keeps answers in this, whatever they came in.
            "DefaultEncoding": "Utf8",
            "DicomPort": self.port,
            "HttpPort": self._http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [],
            "DicomModalities": {
                "openpacs": {"AET": "OPENPACS", "Host": "127.0.0.1", "Port": knows_us_at}
            },
        }
