"""What an attempt at a row came to; how rows are taken is in `audit.retrying`."""

from datetime import timedelta

from django.utils import timezone

from apps.audit.retrying import mine, wait_after
from apps.dimse.models import CommitmentInquiry, CommitmentRequest, Retrieval

# Longer than the longest silence between two renewals: after that the worker is dead.
LEASE = timedelta(minutes=1)
FIRST_WAIT = timedelta(seconds=10)

Row = CommitmentInquiry | CommitmentRequest | Retrieval


def finish(row: Row, **values: object) -> bool:
    """Write the outcome of an attempt; False where the row was lost to another worker."""
    return bool(mine(row).update(**values))


def try_later(row: Row, error: str, **values: object) -> bool:
    """The attempt failed; the next one comes by itself."""
    due = timezone.now() + wait_after(row.attempts, first=FIRST_WAIT)
    return finish(row, error=error[:200], next_attempt_at=due, **values)
