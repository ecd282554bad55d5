"""Files that come from a browser piece by piece, and go on where they broke off."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.audit.alone import held
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Upload
from apps.studies.models.uploads import KEPT_FOR
from apps.studies.room import require_room

CHUNK = 1 << 20
LARGEST = 64 << 30  # bytes of one file
MOST_OPEN = 500  # unfinished files of one user


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class WrongOffsetError(ValueError):
    """The piece does not begin where the last one ended."""


class BusyUploadError(Exception):
    """Another request is bringing the same file."""


class TooMuchError(ValueError):
    """Larger than was said, or than is taken; or too many files at once."""

    message = _("This file is larger than what is taken.")
    too_many = _("Too many files are on their way. Wait until some are finished.")


def begin_upload(
    user: User,
    *,
    batch: str,
    name: str,
    size: int,
    fingerprint: str = "",
    patient: Patient | None = None,
    procedure: RequestedProcedure | None = None,
    pictures: str = Upload.Pictures.CAPTURE,
) -> Upload:
    """A new upload; the user's unfinished one of the same file where there is one.

    Raises TooMuchError, DiskFull.
    """
    require_room()
    if not 0 < size <= LARGEST:
        raise TooMuchError(str(TooMuchError.message))
    said = {"batch": batch, "patient": patient, "procedure": procedure, "pictures": pictures}
    with transaction.atomic():
        open_ones = Upload.objects.of(user).unfinished()
        before = open_ones.filter(fingerprint=fingerprint, size=size).first()
        if before and fingerprint:
            for field, value in said.items():
                setattr(before, field, value)
            before.save(update_fields=[*said])
            return before
        if open_ones.count() >= MOST_OPEN:
            raise TooMuchError(str(TooMuchError.too_many))
        return Upload.objects.create(
            user=user, name=name[-255:], size=size, fingerprint=fingerprint, **said
        )


def append(upload: Upload, stream: Stream, *, offset: int) -> int:
    """Write a piece that begins at `offset`; returns how many bytes are here now.

    What came before a connection broke stays. With the last byte the upload is received.
    Raises WrongOffsetError, BusyUploadError, TooMuchError, OSError.
    """
    with _opened(upload) as handle:
        here = os.fstat(handle).st_size
        if here != offset or upload.state != Upload.State.RECEIVING:
            raise WrongOffsetError
        os.lseek(handle, 0, os.SEEK_END)
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            if here + len(chunk) > upload.size:
                raise TooMuchError(str(TooMuchError.message))
            _write(handle, chunk)
            here += len(chunk)
        if here == upload.size:
            os.fsync(handle)
            Upload.objects.filter(pk=upload.pk).update(state=Upload.State.RECEIVED)
            upload.state = Upload.State.RECEIVED
    return here


def drop_upload(upload: Upload) -> None:
    """Forget an upload and its bytes."""
    upload.path.unlink(missing_ok=True)
    upload.delete()


def drop_old_uploads() -> int:
    """Forget what was begun more than a day ago, finished or not; returns how many."""
    old = list(Upload.objects.begun_before(timezone.now() - KEPT_FOR))
    for one in old:
        drop_upload(one)
    return len(old)


@contextmanager
def _opened(upload: Upload) -> Iterator[int]:
    """The file of an upload, for one request at a time."""
    upload.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(upload.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not held(handle):
            raise BusyUploadError
        yield handle
    finally:
        os.close(handle)


def _write(handle: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(handle, rest) :]
