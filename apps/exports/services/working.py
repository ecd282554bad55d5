"""A worker's hold on an export: taken for a time, told how far it is, given back."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.exports.models import Export, HeldObject, Pseudonym
from apps.exports.services.asking import record_export

# Renewed while the worker lives; an export of a dead one is begun anew after so long.
LEASE = datetime.timedelta(seconds=40)
ATTEMPTS = 3  # one that kills its worker is not tried for ever


class ClaimLost(Exception):
    """Another worker has the export now, or a person deleted it."""


@dataclass(frozen=True)
class Claim:
    """An export that this worker alone may make while its lease is renewed."""

    export: Export
    token: int


def claim_next() -> Claim | None:
    """Take the oldest export that waits; None where there is nothing to do."""
    _take_up_left_behind()
    for _number in range(20):  # others may be faster
        row = Export.objects.due().select_related("user", "profile").first()
        if row is None:
            return None
        if claim := _claim(row):
            return claim
    return None


def note_progress(claim: Claim, *, done: int, total: int) -> None:
    """Say how far it is, and that we are alive; raises ClaimLost."""
    until = timezone.now() + LEASE
    if not _held(claim).update(done_count=done, total_count=total, lease_until=until):
        raise ClaimLost


def note_held(claim: Claim, held: Iterable[HeldObject]) -> None:
    """It was looked through and waits for a person. Raises ClaimLost."""
    with transaction.atomic():
        row = _locked(claim)
        HeldObject.objects.bulk_create(held, ignore_conflicts=True, batch_size=200)
        row.status, row.lease_until, row.attempts = Export.Status.HELD, None, 0
        row.done_count = 0
        row.save()


def note_done(
    claim: Claim,
    *,
    file_name: str,
    size: int,
    objects: int,
    left_out: int,
    codes: Iterable[Pseudonym] = (),
) -> None:
    """The file is in its place. Raises ClaimLost."""
    with transaction.atomic():
        row = _locked(claim)
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


def note_failed(claim: Claim, *, reason: str) -> None:
    """It cannot be made; `reason` is for a person. Raises ClaimLost."""
    with transaction.atomic():
        _fail(_locked(claim), reason)


def _claim(row: Export) -> Claim | None:
    taken = Export.objects.filter(pk=row.pk, status=Export.Status.QUEUED, token=row.token).update(
        status=Export.Status.RUNNING,
        token=F("token") + 1,
        attempts=F("attempts") + 1,
        lease_until=timezone.now() + LEASE,
        done_count=0,
    )
    return Claim(row, row.token + 1) if taken else None


def _take_up_left_behind() -> None:
    """Put exports of dead workers back into the queue."""
    for found in Export.objects.left_behind():
        with transaction.atomic():
            row = (
                Export.objects.left_behind()
                .filter(pk=found.pk, token=found.token)
                .select_for_update()
                .first()
            )
            if row is None:  # another worker was faster
                continue
            row.token += 1
            if row.attempts >= ATTEMPTS:
                _fail(row, _("It was cut off again and again."))
            else:
                row.status, row.lease_until = Export.Status.QUEUED, None
                row.save()


def _fail(row: Export, reason: str) -> None:
    row.status, row.lease_until = Export.Status.FAILED, None
    row.error, row.finished_at = reason[:300], timezone.now()
    row.save()
    record_export(Kind.EXPORT_FAILED, row, origin=_origin(row))


def _origin(row: Export) -> Origin:
    return Origin(protocol="system", peer=row.user.username, user=row.user)


def _held(claim: Claim) -> "QuerySet[Export]":
    return Export.objects.filter(
        pk=claim.export.pk, status=Export.Status.RUNNING, token=claim.token
    )


def _locked(claim: Claim) -> Export:
    row = _held(claim).select_for_update().first()
    if row is None:
        raise ClaimLost
    return row
