"""Rows that are tried until they succeed: taken by one worker, tried again later.

Other than with `leasing`, a row that is worked at keeps its status: it is due again by itself
when the lease of its worker is over, and nobody has to put it back. The attempts are the token.
"""

import datetime
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

FIRST_WAIT = datetime.timedelta(seconds=30)
LONGEST_WAIT = datetime.timedelta(minutes=10)
JITTER = 0.2  # of the wait, so that many rows do not come back at once
RENEW_SECONDS = 10


class Attempted(models.Model):
    """Something tried until it succeeds or is given up, with a `status`; the row is the queue.

    Who works on a row has pushed `next_attempt_at` into the future: when that time comes
    the worker is dead, and another takes the row. `attempts` tells the two apart: who comes
    back with an older count has lost the row.
    """

    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)

    class Meta:
        abstract = True


R = TypeVar("R", bound=Attempted)


def claim(row: Attempted, *, lease: datetime.timedelta, early: bool = False) -> bool:
    """Take a row that is due (or not yet: `early`); False where another worker was faster.

    `lease` is longer than an attempt takes, or than the longest silence between two renewals.
    """
    until = timezone.now() + lease
    rows = mine(row)
    if not early:
        rows = rows.filter(next_attempt_at__lte=timezone.now())
    taken = rows.update(attempts=F("attempts") + 1, next_attempt_at=until)
    row.attempts += 1
    row.next_attempt_at = until
    return bool(taken)


def renewing(row: Attempted, *, lease: datetime.timedelta) -> Callable[[], None]:
    """To be called often while at work on a row: says now and then that we are alive."""
    last = time.monotonic()

    def renew() -> None:
        nonlocal last
        if time.monotonic() - last > RENEW_SECONDS:
            last = time.monotonic()
            mine(row).update(next_attempt_at=timezone.now() + lease)

    return renew


def mine(row: R) -> "QuerySet[R]":
    """The row in the database; nothing where it was lost to another worker."""
    held: Any = row
    rows: QuerySet[R] = type(row)._default_manager.filter(
        pk=held.pk, status=held.status, attempts=held.attempts
    )
    return rows


def wait_after(attempts: int, *, first: datetime.timedelta = FIRST_WAIT) -> datetime.timedelta:
    """How long to wait after so many attempts: `first`, doubled up to ten minutes, shaken."""
    doublings = min(max(attempts - 1, 0), 10)
    wait: datetime.timedelta = min(first * 2**doublings, LONGEST_WAIT)
    shaken = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - no secret
    return wait * shaken
