"""Small files made of stored ones, kept below OPENPACS_HOME/cache: anybody may delete them."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)


def cached(name: str, make: Callable[[], bytes]) -> bytes:
    """The file of that name, made now where there is none yet; raises what `make` raises.

    Names begin with a digest, so that no folder grows large.
    """
    found = looked_up(name)
    if found is not None:
        return found
    made = make()
    _keep(_path(name), made)
    return made


def looked_up(name: str) -> bytes | None:
    """The file of that name, where it was made before."""
    try:
        return _path(name).read_bytes()
    except FileNotFoundError:
        return None


def trim_cache(most_bytes: int) -> int:
    """Delete the oldest files until the rest are no more than that; returns how many went."""
    files = [(path.stat(), path) for path in Path(settings.OPENPACS_CACHE).glob("*/*")]
    kept, gone = 0, 0
    for found, path in sorted(files, key=lambda one: -one[0].st_mtime):
        kept += found.st_size
        if kept > most_bytes:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _path(name: str) -> Path:
    return Path(settings.OPENPACS_CACHE) / name[:2] / name


def _keep(path: Path, data: bytes) -> None:
    """Whole or not at all, and nothing is lost where there is no room."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)
    except OSError as error:
        log.warning("A picture is not kept: %s", error.strerror)
