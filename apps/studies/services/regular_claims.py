"""A worker's hold on a series that is to be made regular: taken for a time, told, given back."""

import datetime

from django.db import transaction

from apps.audit.leasing import Claim, Lease
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.derived_images import series_uid
from apps.studies.models import RegularSeries
from apps.studies.services.recording import record_of_study

_lease = Lease(
    RegularSeries,
    "state",
    waiting=RegularSeries.State.WAITING,
    held=RegularSeries.State.WORKING,
    lasts=datetime.timedelta(seconds=60),
)


def claim_next() -> Claim[RegularSeries] | None:
    """Take the oldest series that waits; None where there is nothing to do."""
    return _lease.take_next(
        RegularSeries.objects.waiting().select_related("source__study", "user").all
    )


def take_up_left_behind() -> None:
    """Put series of dead workers back into the queue, or give them up."""
    _lease.put_back_from_dead(_fail)


def note_progress(claim: Claim[RegularSeries], done: int, total: int) -> None:
    """Say how far it is, and that we are alive; raises ClaimLost."""
    _lease.renew(claim, done_count=done, total_count=total)


def note_done(claim: Claim[RegularSeries], version: str, count: int) -> None:
    """The images are stored. Raises ClaimLost."""
    with transaction.atomic():
        row = _lease.locked(claim)
        row.state, row.lease_until = RegularSeries.State.DONE, None
        row.version, row.series_instance_uid = version, series_uid(version)
        row.done_count = row.total_count = count
        row.save()
        record_regular(Kind.REGULAR_MADE, row, _origin(row), images=count)


def note_failed(claim: Claim[RegularSeries], reason: str) -> None:
    """It cannot be made; `reason` is for a person. Raises ClaimLost."""
    with transaction.atomic():
        _fail(_lease.locked(claim), reason)


def _fail(row: RegularSeries, reason: str) -> None:
    row.state, row.lease_until, row.reason = RegularSeries.State.FAILED, None, reason[:200]
    row.save()
    record_regular(Kind.REGULAR_FAILED, row, _origin(row))


def _origin(row: RegularSeries) -> Origin:
    return Origin(protocol="system", peer=row.user.username if row.user else "", user=row.user)


def record_regular(kind: Kind, row: RegularSeries, origin: Origin, **details: int) -> None:
    """One row of the journal, in the caller's transaction."""
    study = row.source.study
    record_of_study(
        kind,
        study,
        row,
        origin=origin,
        details={"series_instance_uid": row.source.series_instance_uid, **details},
    )
