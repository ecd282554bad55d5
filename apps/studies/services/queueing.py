"""What a person does with files that could not be indexed."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.header import source_of
from apps.studies.spool import default_spool, received_at

_FRONT = 4096  # bytes: the file meta information, and what it says of the sender


@dataclass(frozen=True)
class QueuedFile:
    """A file that waits to be indexed, or could not be: `reason` says why, empty if it waits."""

    name: str
    size: int
    received_at: datetime
    source: str
    reason: str


def queued_file(path: Path) -> QueuedFile | None:
    """What is known of a file of the spool; None for one that was taken meanwhile."""
    try:
        with path.open("rb") as file:
            front, size = file.read(_FRONT), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    reason = default_spool().reason(path)
    return QueuedFile(path.name, size, received_at(path.name), source_of(front), reason)


class NotFailedError(LookupError):
    """The file is not among the failed ones, perhaps not any more."""

    message = _("This file is not in the list of failed files any more.")


def retry_file(name: str, *, origin: Origin) -> Path:
    """Put a failed file back in the queue; the outcome is journalled when it is indexed."""
    return default_spool().retry(_failed(name))


def discard_file(name: str, *, origin: Origin) -> None:
    """Remove a failed file for good; what it was and who did it stays in the journal."""
    path = _failed(name)
    spool = default_spool()
    with transaction.atomic():
        record(
            Kind.FILE_REFUSED,
            None,
            origin=origin,
            details={"file": name, "reason": spool.reason(path), "discarded": True},
        )
    spool.discard(path)


def _failed(name: str) -> Path:
    found = [path for path in default_spool().failed() if path.name == name]
    if not found:
        raise NotFailedError(NotFailedError.message)
    return found[0]
