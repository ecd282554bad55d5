"""The site's settings, changed in a few lines for tests."""

import atexit
import os
import shutil
import tempfile

# A home for each test process, whatever the environment says: never somebody's data, never
# shared by tests that run side by side. Programs that a test starts inherit it.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
if os.environ.get("OPENPACS_TEST_PROCESS") != WORKER:
    home = tempfile.mkdtemp(prefix="openpacs-test-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(OPENPACS_TEST_PROCESS=WORKER, OPENPACS_HOME=home)
    if WORKER == "main":
        os.environ["OPENPACS_TEST_RUN"] = home  # processes that it starts share it

from openpacs.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in service: threads on a database in memory fail on its shared cache's locks.
    DATABASES["default"]["TEST"] = {"NAME": str(OPENPACS_HOME / "test.db")}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )
if REDIS_URL:
    # A Redis database for each test process: 0, or 1 and up for gw0 and up.
    number = int(WORKER.removeprefix("gw")) + 1 if WORKER.startswith("gw") else 0
    CACHES["default"]["LOCATION"] = f"{REDIS_URL}/{number}"
OPENPACS_API_REQUESTS = 0  # tests that ask thousands of things are one caller
VIEWER_EXTENSION = "js/viewer/extension.js"  # its parts: tests talk to single ones
WHITENOISE_AUTOREFRESH = True  # nothing is collected before tests: look when asked
