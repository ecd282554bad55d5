"""A spool and a storage of its own for every test of the studies room."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.studies.spool import Spool
from tests.storage import store_below


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    """The site's spool, below a storage folder of this test alone."""
    return store_below(tmp_path, settings)


@pytest.fixture
def cut_connections() -> Iterator[None]:
    """Collect connections that botocore leaves behind, before another test is blamed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
