"""A worker's hold on a transfer: taken for a time, told what arrived, given back."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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


class ClaimLost(Exception):
    """Another worker has the transfer now, or a person took it out of the queue."""


@dataclass(frozen=True)
class Claim:
    """A transfer that this worker alone may send while its lease is renewed."""

    transfer: Transfer
    token: int


def claim_next() -> Claim | None:
    """Take the most urgent transfer that is due; None where there is nothing to do."""
    _take_up_left_behind()
    for _number in range(20):  # others may be faster
        row = Transfer.objects.due().select_related("study", "destination").first()
        if row is None:
            return None
        if claim := _claim(row):
            return claim
    return None


def renew(claim: Claim) -> None:
    """Say that we are alive; raises ClaimLost where we are taken for dead already."""
    if not _held(claim).update(lease_until=timezone.now() + LEASE):
        raise ClaimLost


def unsent(transfer: Transfer) -> InstanceQuerySet:
    """The images still to be sent: neither arrived nor refused for good."""
    rows: Any = _wanted(transfer).exclude(pk__in=transfer.items.values("instance"))
    if transfer.only_new:
        before = TransferItem.objects.arrived_before(transfer.study, transfer.destination)
        rows = rows.exclude(pk__in=before.values("instance"))
    left: InstanceQuerySet = rows
    return left


def note_answers(claim: Claim, got: Mapping[str, int]) -> None:
    """Keep what the destination answered: SOP Instance UID -> status.

    Refusals that may heal are not kept: those images are sent again. Raises ClaimLost.
    """
    told = {uid: code for uid, code in got.items() if answers.arrived(code) or answers.never(code)}
    with transaction.atomic():
        row = _locked(claim)
        known = Instance.objects.filter(sop_instance_uid__in=told)
        items = [
            TransferItem(
                transfer=row, instance_id=key, answer=told[uid], arrived=answers.arrived(told[uid])
            )
            for key, uid in known.values_list("pk", "sop_instance_uid")
        ]
        TransferItem.objects.bulk_create(items, ignore_conflicts=True)
        _count(row, some_arrived=any(one.arrived for one in items))


def note_total(claim: Claim, *, to_send: int) -> None:
    """Keep how many images the transfer is about. Raises ClaimLost."""
    with transaction.atomic():
        row = _locked(claim)
        row.total_count = row.items.count() + to_send
        row.save(update_fields=["total_count"])


def note_done(claim: Claim) -> None:
    """Everything was sent: it has arrived, or was refused for good. Raises ClaimLost."""
    with transaction.atomic():
        row = _locked(claim)
        if row.failed_count:
            _give_up(row, _why_refused(row))
            return
        _finish(row, Transfer.Status.SENT, "")
        told = row.content == Transfer.Content.AVAILABILITY
        kind = Kind.AVAILABILITY_TOLD if told else Kind.STUDY_SENT
        record_transfer(kind, row, details=_counts(row))


def note_not_done(
    claim: Claim,
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
        row = _locked(claim)
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


def _claim(row: Transfer) -> Claim | None:
    """None where another worker was faster, with this transfer or with its destination."""
    try:
        with transaction.atomic():
            taken = Transfer.objects.filter(
                pk=row.pk, status=Transfer.Status.WAITING, token=row.token
            ).update(
                status=Transfer.Status.SENDING,
                token=F("token") + 1,
                attempts=F("attempts") + 1,
                lease_until=timezone.now() + LEASE,
                next_attempt_at=None,
                unreached=False,
            )
    except IntegrityError:  # transfer_one_at_a_time
        return None
    return Claim(row, row.token + 1) if taken else None


def _take_up_left_behind() -> None:
    """Put transfers of dead workers back into the queue; one that kills them comes seldom."""
    for row in Transfer.objects.left_behind():
        reason = _("The sending was cut off here; it goes on by itself.")
        try:
            with transaction.atomic():
                held = _locked(Claim(row, row.token), expired=True)
                _note_cut(held)
                rest = LONGEST_WAIT if held.cuts >= ATTEMPTS else datetime.timedelta(0)
                held.status, held.lease_until = Transfer.Status.WAITING, None
                held.token += 1
                held.last_error, held.next_attempt_at = reason, timezone.now() + rest
                held.save()
        except ClaimLost:  # another worker was faster
            continue


def _held(claim: Claim) -> "QuerySet[Transfer]":
    return Transfer.objects.filter(
        pk=claim.transfer.pk, status=Transfer.Status.SENDING, token=claim.token
    )


def _locked(claim: Claim, *, expired: bool = False) -> Transfer:
    over = Q(lease_until__lte=timezone.now()) if expired else Q()
    row = _held(claim).filter(over).select_for_update().first()
    if row is None:
        raise ClaimLost
    return row


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
    row.lease_until = timezone.now() + LEASE
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
