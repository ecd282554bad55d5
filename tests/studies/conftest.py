"""A spool and a storage of its own for every test of the studies room."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.studies.spool import Spool


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    """The site's spool, below a storage folder of this test alone."""
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.OPENPACS_CACHE = tmp_path / "cache"
    settings.STORAGES = {
        **settings.STORAGES,
        "dicom": {
            "BACKEND": "apps.studies.storage.dicom_storage",
            "OPTIONS": {"location": str(tmp_path / "dicom")},
        },
    }
    return Spool(tmp_path / "spool")


@pytest.fixture
def cut_connections() -> Iterator[None]:
    """Collect connections that botocore leaves behind, before another test is blamed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
