"""What is written down about questions to the index; the same one only now and then."""

from collections.abc import Sequence
from typing import Any

from apps.audit.later import record_later
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.audit.throttle import SAME_QUESTION_SECONDS, Throttle
from apps.dicom.keys import Key, Matching
from apps.studies.datasets import Level

# What is asked for is written down where it is a number, a date or a code: no names.
_TOLD = frozenset({"AS", "CS", "DA", "DT", "IS", "TM", "UI"})
_NUMBERS = frozenset({"PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID"})
_LONGEST = 128

_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def told_query(
    asker: str | int, *, level: Level, keys: Sequence[Key], count: int
) -> dict[str, Any] | None:
    """What the journal is to say about a question; None where this asker asked it of late."""
    asked = [key for key in keys if key.matching is not Matching.UNIVERSAL]
    question = (asker, level, count, tuple((key.name, key.values) for key in asked))
    if not _questions.passes(hash(question)):
        return None
    told = {key.name: _told(key) for key in sorted(asked, key=lambda one: one.name)}
    return {"level": str(level), "keys": told, "count": count}


def note_query(*, level: Level, keys: Sequence[Key], count: int, origin: Origin) -> None:
    """Have it journalled what a person or a script asked for, and how many answers it got."""
    told = told_query(origin.peer, level=level, keys=keys, count=count)
    if told is not None:
        record_later(Kind.STUDIES_QUERIED, origin=origin, details=told)


def _told(key: Key) -> str:
    if key.vr not in _TOLD and key.name not in _NUMBERS:
        return str(key.matching)
    return "\\".join(key.values[:10])[:_LONGEST]
