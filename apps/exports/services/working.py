"""A worker's hold on an export: taken for a time, told how far it is, given back."""

import datetime
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from apps.audit.leasing import Claim, Lease
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.exports.models import Export, HeldObject, Pseudonym
from apps.exports.services.asking import record_export

_lease = Lease(
    Export,
    "status",
    waiting=Export.Status.QUEUED,
    held=Export.Status.RUNNING,
    lasts=datetime.timedelta(seconds=40),
)


def claim_next() -> Claim[Export] | None:
    """Take the oldest export that waits; None where there is nothing to do."""
    _lease.put_back_from_dead(_fail)
    due = Export.objects.due().select_related("user", "profile")
    return _lease.take_next(due.all, done_count=0)


def note_progress(claim: Claim[Export], *, done: int, total: int) -> None:
    """Say how far it is, and that we are alive; raises ClaimLost."""
    _lease.renew(claim, done_count=done, total_count=total)


def note_held(claim: Claim[Export], held: Iterable[HeldObject]) -> None:
    """It was looked through and waits for a person. Raises ClaimLost."""
    with transaction.atomic():
        row = _lease.locked(claim)
        HeldObject.objects.bulk_create(held, ignore_conflicts=True, batch_size=200)
        row.status, row.lease_until, row.attempts = Export.Status.HELD, None, 0
        row.done_count = 0
        row.save()


def note_done(
    claim: Claim[Export],
    *,
    file_name: str,
    size: int,
    objects: int,
    left_out: int,
    codes: Iterable[Pseudonym] = (),
) -> None:
    """The file is in its place. Raises ClaimLost."""
    with transaction.atomic():
        row = _lease.locked(claim)
        Pseudonym.objects.bulk_create(codes, ignore_conflicts=True, batch_size=200)
        row.status, row.lease_until = Export.Status.DONE, None
        row.file_name, row.size, row.left_out_count = file_name, size, left_out
        row.total_count = row.done_count = objects
        row.error = ""
        row.finished_at = timezone.now()
        row.save()
        record_export(
            Kind.EXPORT_MADE,
            row,
            origin=_origin(row),
            objects=objects - left_out,
            size=size,
        )


def note_failed(claim: Claim[Export], *, reason: str) -> None:
    """It cannot be made; `reason` is for a person. Raises ClaimLost."""
    with transaction.atomic():
        _fail(_lease.locked(claim), reason)


def _fail(row: Export, reason: str) -> None:
    row.status, row.lease_until = Export.Status.FAILED, None
    row.error, row.finished_at = reason[:300], timezone.now()
    row.save()
    record_export(Kind.EXPORT_FAILED, row, origin=_origin(row))


def _origin(row: Export) -> Origin:
    return Origin(protocol="system", peer=row.user.username, user=row.user)
