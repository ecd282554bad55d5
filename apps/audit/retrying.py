"""How long rows wait that are tried until they succeed."""

import datetime
import random

FIRST_WAIT = datetime.timedelta(seconds=30)
LONGEST_WAIT = datetime.timedelta(minutes=10)
JITTER = 0.2  # of the wait, so that many rows do not come back at once


def wait_after(attempts: int, *, first: datetime.timedelta = FIRST_WAIT) -> datetime.timedelta:
    """How long to wait after so many attempts: `first`, doubled up to ten minutes, shaken."""
    doublings = min(max(attempts - 1, 0), 10)
    wait: datetime.timedelta = min(first * 2**doublings, LONGEST_WAIT)
    shaken = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - no secret
    return wait * shaken
