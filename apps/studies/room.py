"""How much room is left for images: two marks, so that a full disk is met in good order."""

import enum
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.models import Role, User
from apps.studies.storage import FolderStorage, stored_files

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Room(enum.Enum):
    """ENOUGH; LOW: no new images are taken; HARD: nobody may even begin to send them."""

    ENOUGH = "enough"
    LOW = "low"
    HARD = "hard"


class DiskFull(OSError):
    """New images are not taken until there is room again."""


class Gauge:
    """Looks at file systems, once a second at most; a full one is logged once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._room, self._looked = Room.ENOUGH, -LOOK_SECONDS

    def room(self) -> Room:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return self._room
        with self._lock:
            found = _room_for(min(map(_free_bytes, _folders())))
            if found is not self._room:
                logger.warning("room for images: %s, was %s", found.value, self._room.value)
            self._room, self._looked = found, now
        return self._room

    def forget(self) -> None:
        """Look again at the next question."""
        self._looked = -LOOK_SECONDS


_gauge = Gauge()
disk_room = _gauge.room
forget_room = _gauge.forget


def require_room() -> None:
    """Raises DiskFull below the first mark, while there is room yet for what runs."""
    if disk_room() is not Room.ENOUGH:
        raise DiskFull("no room for images")


def room_banner(request: HttpRequest) -> dict[str, str]:
    """Context processor: `image_room`, as a word, for whoever works here: not for referrers."""
    user = getattr(request, "user", None)  # none where a request was refused before that
    told = isinstance(user, User) and (user.is_superuser or bool(user.roles - {Role.REFERRER}))
    return {"image_room": disk_room().value if told else ""}


def _folders() -> Iterator[Path]:
    """The spool, and the folder of the DICOM files where they are on this machine."""
    yield Path(settings.SPOOL_DIR)
    store = stored_files()
    if isinstance(store, FolderStorage):
        yield Path(store.location)


def _free_bytes(folder: Path) -> int:
    """What an ordinary account may still write on the file system of a folder.

    A folder that is not there yet is made where its nearest parent is.
    """
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _room_for(free: int) -> Room:
    if free >= settings.OPENPACS_DISK_LOW:
        return Room.ENOUGH
    return Room.LOW if free >= settings.OPENPACS_DISK_HARD else Room.HARD
