"""Writes the table of accepted objects: `python -m tests.acceptance.table`."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
warnings.simplefilter("ignore")
django.setup()

from django.test.utils import setup_databases, teardown_databases

from tests.acceptance.document import render
from tests.acceptance.driver import send_all
from tests.acceptance.samples import read_samples
from tests.conftest import SAMPLES


def main() -> None:
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = send_all(read_samples(SAMPLES), Path(folder))
    finally:
        teardown_databases(databases, verbosity=0)
    sys.stdout.write(render(found))


if __name__ == "__main__":
    main()
