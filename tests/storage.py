"""A place of its own for what a test stores."""

from pathlib import Path
from typing import Any

from apps.studies.spool import Spool


def store_below(folder: Path, settings: Any) -> Spool:
    """Have spool, cache and stored files below a folder until the test ends; the spool."""
    settings.SPOOL_DIR = folder / "spool"
    settings.OPENPACS_CACHE = folder / "cache"
    settings.STORAGES = {
        **settings.STORAGES,
        "dicom": {
            "BACKEND": "apps.studies.storage.dicom_storage",
            "OPTIONS": {"location": str(folder / "dicom")},
        },
    }
    return Spool(folder / "spool")
