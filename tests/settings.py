"""The site's settings, changed in a few lines for tests."""

import os
import tempfile

os.environ.setdefault("OPENPACS_HOME", tempfile.mkdtemp(prefix="openpacs-test-"))

from openpacs.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in service: threads on a database in memory fail on its shared cache's locks.
    DATABASES["default"]["TEST"] = {"NAME": str(OPENPACS_HOME / "test.db")}  # noqa: F405
    DATABASES["default"]["OPTIONS"]["init_command"] = (  # noqa: F405
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )
