"""Carries waiting transfers to their destinations. No transaction is open while it does."""

import functools
import logging
import threading
import time
from collections import Counter

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.audit.leasing import Claim, ClaimLost
from apps.dimse.sending import send_instances
from apps.dimse.services import CalledDeviceFailed, calling
from apps.dimse.suboperations import Result, Unanswered
from apps.routing import answers
from apps.routing.availability import AVAILABILITY_NOTIFICATION, notices
from apps.routing.models import Transfer
from apps.routing.services.working import (
    claim_next,
    note_answers,
    note_done,
    note_not_done,
    note_total,
    renew,
    unsent,
)

log = logging.getLogger(__name__)

ROUND = 500  # transfers tried in one go
# Answers are written together, so that fast links are not held up by the database; those not
# written yet are lost with the worker, and their images sent again.
KEEP_SECONDS = 0.25
RENEW_SECONDS = 10.0


def send_due() -> int:
    """Try the transfers that are due, the most urgent first; returns how many were tried.

    Several workers may do this at once: each destination is sent one thing at a time. Half
    of a process's threads at most do, so that a slow destination leaves some for other work.
    """
    if not _threads().acquire(blocking=False):
        return 0
    try:
        return _round()
    finally:
        _threads().release()


@functools.cache
def _threads() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.OPENPACS_WORKER_THREADS // 2))


def _round() -> int:
    for tried in range(ROUND):
        claim = claim_next()
        if claim is None:
            return tried
        try:
            _attempt(claim)
        except ClaimLost:
            log.warning("Transfer %s was taken away while it was sent", claim.row.pk)
    return ROUND


class Progress:
    """Keeps what has been answered, some at a time, and the lease alive."""

    def __init__(self, claim: Claim[Transfer]) -> None:
        self._claim = claim
        self._got: dict[str, int] = {}
        self._kept_at = self._renewed_at = time.monotonic()
        self.troubles: Counter[int | Unanswered] = Counter()
        self._answered = False

    @property
    def was_cut(self) -> bool:
        """The connection broke before anything could be learnt of the destination."""
        return not self._answered and set(self.troubles) == {Unanswered.CUT}

    def heard(self, result: Result) -> None:
        status = result.status
        if isinstance(status, Unanswered):
            self.troubles[status] += 1
        else:
            self._answered = True
            self._got[result.instance.sop_instance_uid] = status
            if not answers.arrived(status) and not answers.never(status):
                self.troubles[status] += 1
        if time.monotonic() - self._kept_at > KEEP_SECONDS:
            self.keep()

    def lost(self) -> bool:
        """Asked about once a second by the sender: a good time to write. Raises ClaimLost."""
        now = time.monotonic()
        if self._got and now - self._kept_at > KEEP_SECONDS:
            self.keep()
        elif now - self._renewed_at > RENEW_SECONDS:
            renew(self._claim)
            self._renewed_at = now
        return False

    def keep(self) -> None:
        """Write what was answered since the last time, which renews the lease too."""
        got, self._got = self._got, {}
        if got:
            note_answers(self._claim, got)
        self._kept_at = self._renewed_at = time.monotonic()


def _attempt(claim: Claim[Transfer]) -> None:
    transfer = claim.row
    try:
        if transfer.content == Transfer.Content.AVAILABILITY:
            _tell(claim)
        else:
            _send(claim)
    except CalledDeviceFailed as error:
        name = transfer.destination.ae_title
        log.warning("Transfer %s: %s cannot be reached: %s", transfer.pk, name, error)
        note_not_done(claim, reason=str(error), unreached=True)


def _send(claim: Claim[Transfer]) -> None:
    transfer, progress = claim.row, Progress(claim)
    rows = unsent(transfer)
    count = rows.count()
    note_total(claim, to_send=count)
    if count:
        try:
            send_instances(
                transfer.destination, rows, on_result=progress.heard, cancelled=progress.lost
            )
        finally:
            progress.keep()
    if not unsent(transfer).exists():
        note_done(claim)
        return
    reason = _why(progress.troubles)
    log.warning("Transfer %s to %s: %s", transfer.pk, transfer.destination.ae_title, reason)
    note_not_done(claim, reason=reason, cut=progress.was_cut)


def _why(troubles: "Counter[int | Unanswered]") -> str:
    """What kept images from arriving, most of all."""
    if not troubles:
        return _("Images were added while the others were sent.")
    status, _number = troubles.most_common(1)[0]
    text = ngettext(
        "%(count)d image did not arrive: %(why)s.",
        "%(count)d images did not arrive: %(why)s.",
        troubles.total(),
    )
    return text % {"count": troubles.total(), "why": answers.plain(status)}


def _tell(claim: Claim[Transfer]) -> None:
    """N-CREATE of each notice (PS3.4 R.3.2.1); one that is known there is told."""
    transfer = claim.row
    with calling(transfer.destination, AVAILABILITY_NOTIFICATION) as association:
        for uid, notice in notices(transfer.study, key=transfer.key):
            answer, _created = association.send_n_create(notice, AVAILABILITY_NOTIFICATION, uid)
            if "Status" not in answer:
                raise CalledDeviceFailed(_("The device did not answer in time."))
            if not answers.arrived(answer.Status):
                reason = _("The notice was refused: %(why)s.") % {
                    "why": answers.plain(answer.Status)
                }
                note_not_done(claim, reason=reason, for_good=answers.never(answer.Status))
                return
    note_done(claim)
