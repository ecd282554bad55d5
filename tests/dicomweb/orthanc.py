"""Orthanc with its DICOMweb plugin, as another implementation of what we serve."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.dimse.orthanc import Orthanc
from tests.prepare import find_program

PLUGIN = "libOrthancDicomWeb.so"


class WebOrthanc(Orthanc):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, knows_us_at=104)

    def store(self, file: bytes) -> bool:
        """False where it refuses a file that we took."""
        request = urllib.request.Request(f"{self.address}/instances", data=file)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False
        return True

    def metadata(self, study: str) -> list[dict[str, Any]]:
        address = f"{self.address}/dicom-web/studies/{study}/metadata"
        headers = {"Accept": "application/dicom+json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(address, headers=headers), timeout=60
            ) as answer:
                rows: list[dict[str, Any]] = json.load(answer)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return []
        return rows

    def _configuration(self, folder: Path, knows_us_at: int) -> dict[str, Any]:
        return {
            **super()._configuration(folder, knows_us_at),
            # As DICOMweb is read by strangers: in the character sets that the files say.
            "DefaultEncoding": "Latin1",
            "Plugins": [str(find_program(PLUGIN))],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
