"""A worker's hold on a transfer: taken for a time, told what arrived, given back."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.audit.leasing import Claim, Lease
from apps.audit.models import Kind
from apps.audit.retrying import LONGEST_WAIT, wait_after
from apps.routing import answers
from apps.routing.models import Transfer, TransferItem
from apps.routing.services.queueing import record_transfer
from apps.studies.models import Instance
from apps.studies.querysets import InstanceQuerySet

# In a row in which nothing arrived, though the destination answered or could not be reached.
# What is cut off before says nothing about it, and is tried for ever, more and more seldom.
ATTEMPTS = 10
MOST_CUTS = 1000
# Renewed by the heartbeat of a worker; a transfer of a dead one goes on after so long.
LEASE = datetime.timedelta(seconds=40)
# How long is known which image of a transfer arrived, once all have.
ANSWERS_KEPT = datetime.timedelta(days=30)


_lease = Lease(
    Transfer,
    "status",
    waiting=Transfer.Status.WAITING,
    held=Transfer.Status.SENDING,
    lasts=LEASE,
)


def claim_next() -> Claim[Transfer] | None:
    """Take the most urgent transfer that is due; None where there is nothing to do.

    A destination is sent one thing at a time: a constraint refuses a second one.
    """
    _lease.take_from_dead(_put_back)
    return _lease.take_next(_due, next_attempt_at=None, unreached=False)


def renew(claim: Claim[Transfer]) -> None:
    """Say that we are alive; raises ClaimLost where we are taken for dead already."""
    _lease.renew(claim)


def unsent(transfer: Transfer) -> InstanceQuerySet:
    """The images still to be sent: neither arrived nor refused for good."""
    rows: Any = _wanted(transfer).exclude(pk__in=transfer.items.values("instance"))
    if transfer.only_new:
        before = TransferItem.objects.arrived_before(transfer.study, transfer.destination)
        rows = rows.exclude(pk__in=before.values("instance"))
    left: InstanceQuerySet = rows
    return left


def note_answers(claim: Claim[Transfer], got: Mapping[str, int]) -> None:
    """Keep what the destination answered: SOP Instance UID -> status.

    Refusals that may heal are not kept: those images are sent again. Raises ClaimLost.
    """
    told = {uid: code for uid, code in got.items() if answers.arrived(code) or answers.never(code)}
    with transaction.atomic():
        row = _lease.locked(claim)
        known = Instance.objects.filter(sop_instance_uid__in=told)
        items = [
            TransferItem(
                transfer=row, instance_id=key, answer=told[uid], arrived=answers.arrived(told[uid])
            )
            for key, uid in known.values_list("pk", "sop_instance_uid")
        ]
        TransferItem.objects.bulk_create(items, ignore_conflicts=True)
        _count(row, some_arrived=any(one.arrived for one in items))


def note_total(claim: Claim[Transfer], *, to_send: int) -> None:
    """Keep how many images the transfer is about. Raises ClaimLost."""
    with transaction.atomic():
        row = _lease.locked(claim)
        row.total_count = row.items.count() + to_send
        row.save(update_fields=["total_count"])


def note_done(claim: Claim[Transfer]) -> None:
    """Everything was sent: it has arrived, or was refused for good. Raises ClaimLost."""
    with transaction.atomic():
        row = _lease.locked(claim)
        if row.failed_count:
            _give_up(row, _why_refused(row))
            return
        _finish(row, Transfer.Status.SENT, "")
        told = row.content == Transfer.Content.AVAILABILITY
        kind = Kind.AVAILABILITY_TOLD if told else Kind.STUDY_SENT
        record_transfer(kind, row, details=_counts(row))


def note_not_done(
    claim: Claim[Transfer],
    *,
    reason: str,
    unreached: bool = False,
    cut: bool = False,
    for_good: bool = False,
) -> None:
    """The attempt failed: try again later, or give up. Raises ClaimLost.

    `reason` is for a person. `unreached`: the destination did not answer at all, so that
    what else waits for it waits too. `cut`: it was reached, and gone before it answered.
    `for_good`: it would say the same again.
    """
    with transaction.atomic():
        row = _lease.locked(claim)
        if cut:
            _note_cut(row)
        if for_good or row.attempts >= ATTEMPTS:
            _give_up(row, reason)
        else:
            row.status, row.lease_until = Transfer.Status.WAITING, None
            row.last_error, row.unreached = reason[:300], unreached
            row.next_attempt_at = timezone.now() + wait_after(row.attempts + row.cuts)
            row.save()


def forget_old_answers() -> int:
    """Drop what was kept to go on after a cut, long after everything arrived."""
    until = timezone.now() - ANSWERS_KEPT
    old = TransferItem.objects.filter(
        transfer__status=Transfer.Status.SENT, transfer__finished_at__lt=until
    )
    return old.delete()[0]


def _due() -> "QuerySet[Transfer]":
    return Transfer.objects.due().select_related("study", "destination")


def _put_back(row: Transfer) -> None:
    """One that kills its workers comes seldom."""
    _note_cut(row)
    rest = LONGEST_WAIT if row.cuts >= ATTEMPTS else datetime.timedelta(0)
    row.status, row.next_attempt_at = Transfer.Status.WAITING, timezone.now() + rest
    row.last_error = _("The sending was cut off here; it goes on by itself.")
    row.save()


def _wanted(transfer: Transfer) -> "QuerySet[Instance]":
    """All images of the study or of the chosen series.

    By a rule, what the destination itself has sent is not sent back to it.
    """
    rows = Instance.objects.filter(series__study=transfer.study_id)
    chosen = transfer.series.values("pk")
    if chosen.exists():
        rows = rows.filter(series__in=chosen)
    if transfer.rule_id:
        rows = rows.exclude(source=transfer.destination.ae_title)
    return rows


def _count(row: Transfer, *, some_arrived: bool) -> None:
    """Counts and lease after an answer; attempts are those since something arrived."""
    row.sent_count = row.items.filter(arrived=True).count()
    row.failed_count = row.items.filter(arrived=False).count()
    row.lease_until = _lease.until()
    if some_arrived:
        row.attempts, row.cuts = 1, 0
    row.save(update_fields=["sent_count", "failed_count", "lease_until", "attempts", "cuts"])


def _note_cut(row: Transfer) -> None:
    """The attempt does not count: nothing was learnt of the destination."""
    row.attempts, row.cuts = max(row.attempts - 1, 0), min(row.cuts + 1, MOST_CUTS)


def _give_up(row: Transfer, reason: str) -> None:
    partly = Transfer.Status.PARTLY if row.sent_count else Transfer.Status.FAILED
    _finish(row, partly, reason)
    record_transfer(Kind.STUDY_SENDING_FAILED, row, details=_counts(row))


def _finish(row: Transfer, status: str, error: str) -> None:
    row.status, row.last_error = status, error[:300]
    row.lease_until = row.next_attempt_at = None
    row.unreached, row.finished_at = False, timezone.now()
    row.save()


def _counts(row: Transfer) -> dict[str, object]:
    return {
        "images": row.total_count,
        "sent": row.sent_count,
        "refused": row.failed_count,
        "tries": row.attempts,
    }


def _why_refused(row: Transfer) -> str:
    """The commonest refusal, in words."""
    codes = list(row.items.filter(arrived=False).values_list("answer", flat=True))
    commonest = max(set(codes), key=codes.count)
    text = ngettext(
        "%(count)d image was refused: %(why)s.",
        "%(count)d images were refused: %(why)s.",
        len(codes),
    )
    return text % {"count": len(codes), "why": answers.plain(commonest)}
