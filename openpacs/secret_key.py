"""The site's secret key: made once per install, kept in OPENPACS_HOME, never shared."""

import contextlib
import os
import tempfile
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def load_secret_key(home: Path) -> str:
    """Return the key in `home`/secret_key, writing it (mode 0600) the first time."""
    path = home / "secret_key"
    if not path.exists():
        _write_once(path, get_random_secret_key())
    return path.read_text().strip()


def _write_once(path: Path, text: str) -> None:
    # Written aside and linked into place: of several processes starting at once one
    # wins, and none ever reads a half-written key. mkstemp makes the file 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was first
        os.link(name, path)
    Path(name).unlink()
