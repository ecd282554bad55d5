"""A worker's hold on a series that is to be made regular: taken for a time, told, given back."""

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.derived_images import series_uid
from apps.studies.models import RegularSeries

LEASE = datetime.timedelta(seconds=60)
ATTEMPTS = 3  # one that kills its worker is not tried for ever


class ClaimLost(Exception):
    """Another worker has the series now."""


@dataclass(frozen=True)
class Claim:
    """A series that this worker alone makes while its lease is renewed."""

    row: RegularSeries
    token: int


def claim_next() -> Claim | None:
    """Take the oldest series that waits; None where there is nothing to do."""
    for row in RegularSeries.objects.waiting().select_related("source__study", "user")[:20]:
        taken = (
            RegularSeries.objects.waiting()
            .filter(pk=row.pk, token=row.token)
            .update(
                state=RegularSeries.State.WORKING,
                token=F("token") + 1,
                attempts=F("attempts") + 1,
                lease_until=timezone.now() + LEASE,
            )
        )
        if taken:  # and not by a faster one
            return Claim(row, row.token + 1)
    return None


def take_up_left_behind() -> None:
    """Put series of dead workers back into the queue."""
    for found in RegularSeries.objects.left_behind():
        with transaction.atomic():
            rows = RegularSeries.objects.left_behind().filter(pk=found.pk, token=found.token)
            row = rows.select_for_update().first()
            if row is None:
                continue
            row.token += 1
            if row.attempts >= ATTEMPTS:
                _fail(row, _("It was cut off again and again."))
            else:
                row.state, row.lease_until = RegularSeries.State.WAITING, None
                row.save()


def _held(claim: Claim) -> "QuerySet[RegularSeries]":
    rows = RegularSeries.objects.filter(
        pk=claim.row.pk, state=RegularSeries.State.WORKING, token=claim.token
    )
    if not rows.exists():
        raise ClaimLost
    return rows


def note_progress(claim: Claim, done: int, total: int) -> None:
    """Say how far it is, and that we are alive; raises ClaimLost."""
    until = timezone.now() + LEASE
    _held(claim).update(done_count=done, total_count=total, lease_until=until)


def note_done(claim: Claim, version: str, count: int) -> None:
    """The images are stored. Raises ClaimLost."""
    with transaction.atomic():
        row = _locked(claim)
        row.state, row.lease_until = RegularSeries.State.DONE, None
        row.version, row.series_instance_uid = version, series_uid(version)
        row.done_count = row.total_count = count
        row.save()
        record_regular(Kind.REGULAR_MADE, row, _origin(row), images=count)


def note_failed(claim: Claim, reason: str) -> None:
    """It cannot be made; `reason` is for a person. Raises ClaimLost."""
    with transaction.atomic():
        _fail(_locked(claim), reason)


def _locked(claim: Claim) -> RegularSeries:
    row = _held(claim).select_for_update().first()
    if row is None:
        raise ClaimLost
    return row


def _fail(row: RegularSeries, reason: str) -> None:
    row.state, row.lease_until, row.reason = RegularSeries.State.FAILED, None, reason[:200]
    row.save()
    record_regular(Kind.REGULAR_FAILED, row, _origin(row))


def _origin(row: RegularSeries) -> Origin:
    return Origin(protocol="system", peer=row.user.username if row.user else "", user=row.user)


def record_regular(kind: Kind, row: RegularSeries, origin: Origin, **details: int) -> None:
    """One row of the journal, in the caller's transaction."""
    study = row.source.study
    record(
        kind,
        row,
        origin=origin,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_instance_uid=study.study_instance_uid,
        details={"series_instance_uid": row.source.series_instance_uid, **details},
    )
