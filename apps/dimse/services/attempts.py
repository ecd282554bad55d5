"""Rows that are tried until they succeed: taken by one worker, tried again later."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.audit.retrying import wait_after
from apps.dimse.models import CommitmentInquiry, CommitmentRequest, Retrieval

# Longer than the longest silence between two renewals: after that the worker is dead.
LEASE = timedelta(minutes=1)
RENEW_SECONDS = 10
FIRST_WAIT = timedelta(seconds=10)

Row = CommitmentInquiry | CommitmentRequest | Retrieval


def claim(row: Row, *, early: bool = False, lease: timedelta = LEASE) -> bool:
    """Take a row that is due (or not yet: `early`); False where another worker was faster.

    The count of attempts is the token: who comes back with an older one has lost the row.
    """
    until = timezone.now() + lease
    rows = type(row).objects.filter(pk=row.pk, status=row.status, attempts=row.attempts)
    if not early:
        rows = rows.filter(next_attempt_at__lte=timezone.now())
    taken = rows.update(attempts=F("attempts") + 1, next_attempt_at=until)
    row.attempts += 1
    row.next_attempt_at = until
    return bool(taken)


def renewing(row: Row, *, lease: timedelta = LEASE) -> Callable[[], None]:
    """To be called often while at work on a row: says now and then that we are alive."""
    last = time.monotonic()

    def renew() -> None:
        nonlocal last
        if time.monotonic() - last > RENEW_SECONDS:
            last = time.monotonic()
            _own(row).update(next_attempt_at=timezone.now() + lease)

    return renew


def finish(row: Row, **values: object) -> bool:
    """Write the outcome of an attempt; False where the row was lost to another worker."""
    return bool(_own(row).update(**values))


def try_later(row: Row, error: str, **values: object) -> bool:
    """The attempt failed; the next one comes by itself."""
    due = timezone.now() + wait_after(row.attempts, first=FIRST_WAIT)
    return finish(row, error=error[:200], next_attempt_at=due, **values)


def _own(row: Row) -> Any:
    return type(row).objects.filter(pk=row.pk, status=row.status, attempts=row.attempts)
