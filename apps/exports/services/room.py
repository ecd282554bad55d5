"""Is there room for an export? Two marks of free space, as for images that arrive."""

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from apps.exports.services.refusals import NoRoom
from apps.studies.room import Room, disk_room


def require_export_room(wanted: int = 0) -> None:
    """Raises NoRoom where so many bytes more would leave too little for images that arrive."""
    if disk_room() is not Room.ENOUGH or free_bytes() - wanted < settings.OPENPACS_DISK_LOW:
        raise NoRoom(
            _("The disk has no room for this export. Delete exports that nobody needs any more.")
        )


def exports_folder() -> Path:
    """The folder of finished exports, made where it is not there yet."""
    folder = Path(settings.EXPORTS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def free_bytes() -> int:
    found = os.statvfs(exports_folder())
    return found.f_bavail * found.f_frsize
