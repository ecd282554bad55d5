"""What the manifest of the sample data expects, as a question about an outcome."""

from tests.acceptance.driver import REJECTED, Outcome

MISMATCH = "A900"
# Files with which we do otherwise than the manifest says, and why.
OTHERWISE = {
    "pydicom-data/bad_sequence.dcm": "its SOP Instance UID has letters: no UID (PS3.5 9.1)",
    "pydicom/test_files/no_meta_group_length.dcm": "it has no SOP Class and Instance UID",
}


def is_met(outcome: Outcome) -> bool:
    """Raises LookupError for an expectation that has no meaning here."""
    expected = outcome.sample.expected
    for beginning, question in MEANINGS.items():
        if expected.startswith(beginning):
            return question(outcome)
    raise LookupError(expected)


def is_refused(outcome: Outcome) -> bool:
    """Not accepted, and nothing is left of it."""
    return outcome.answer != "0000" and not outcome.kept.where


def _is_flagged(outcome: Outcome) -> bool:
    """Kept as it came, outside the index, with the reason beside it."""
    kept = outcome.kept
    is_aside = kept.where == "failed" and kept.same_bytes and bool(kept.reason)
    return outcome.answer == "0000" and is_aside


def _is_kept_or_not(outcome: Outcome) -> bool:
    return outcome.is_whole or _is_flagged(outcome) or is_refused(outcome)


def _is_flagged_or_not(outcome: Outcome) -> bool:
    return _is_flagged(outcome) or is_refused(outcome)


def _is_kept_or_unknown(outcome: Outcome) -> bool:
    return outcome.is_whole or _is_rejected(outcome)


def _is_rejected(outcome: Outcome) -> bool:
    return outcome.answer == REJECTED and not outcome.kept.where


def _is_mismatch(outcome: Outcome) -> bool:
    return outcome.answer == MISMATCH and not outcome.kept.where


def _is_whole(outcome: Outcome) -> bool:
    return outcome.is_whole


# Longer beginnings first.
MEANINGS = {
    "must be accepted (or refused as unsupported SOP class)": _is_kept_or_unknown,
    "must be accepted": _is_whole,
    "accepted with warning": _is_whole,
    "accepted; decode": _is_whole,
    "accepted after normalising or rejected cleanly": _is_kept_or_not,
    "accepted or refused cleanly": _is_kept_or_not,
    "rejected cleanly, or stored and flagged": _is_flagged_or_not,
    "no SOP Class/Instance UID": _is_mismatch,
    "must be read as a media directory": _is_rejected,
}
