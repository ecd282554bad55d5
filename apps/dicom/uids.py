"""Unique identifiers (PS3.5 section 9)."""

import re
import uuid

# PS3.5 9.1 allows 64 characters; makers exist who wrote a few more into instances and series.
LONGEST_SENT = 128
# Who wrote a file or an association (PS3.7 D.3.3.2).
IMPLEMENTATION_UID = "2.25.305663523887491605014421058460515682920"
IMPLEMENTATION_VERSION = "OPENPACS_0_1"
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def new_uid() -> str:
    """A UID made from a random UUID, below the root 2.25 (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def derived_uid(seed: str) -> str:
    """The same UID for the same text, below the root 2.25: for objects that lack one."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, seed).int}"


def valid_uid(text: str, *, longest: int = 64) -> bool:
    """Digits in dotted components, at most 64 characters or whatever is to be borne with.

    Leading zeros are forbidden by PS3.5 9.1 and still found in the field: they are let pass.
    """
    return len(text) <= longest and _UID.fullmatch(text) is not None
