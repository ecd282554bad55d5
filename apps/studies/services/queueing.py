"""What a person does with files that could not be indexed."""

from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.studies.spool import default_spool


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
