"""Writes the table of rendered objects: `python -m tests.rendered.table`."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
warnings.simplefilter("ignore")
django.setup()

from django.conf import settings
from django.test import Client
from django.test.utils import (
    setup_databases,
    setup_test_environment,
    teardown_databases,
)

from apps.studies.spool import default_spool
from tests.acceptance.samples import read_samples
from tests.conftest import SAMPLES
from tests.factories import make_user
from tests.rendered.document import written
from tests.rendered.driver import compare


def main() -> None:
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    client = Client()
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings.SPOOL_DIR = Path(folder) / "spool"
            user = make_user("radiologist")
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            found = list(compare(read_samples(SAMPLES), default_spool(), client))
    finally:
        teardown_databases(databases, verbosity=0)
    sys.stdout.write(written(found))


if __name__ == "__main__":
    main()
