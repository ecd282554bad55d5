"""What one process at a time does: its lock on a file goes with it, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """True for the one that holds `path`, a file or a folder that is there, meanwhile."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield held(handle)
    finally:
        os.close(handle)


def held(handle: int) -> bool:
    """Hold an open file until it is closed; False where somebody else does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
