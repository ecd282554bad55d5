"""What is written down about questions to the index; the same one only now and then."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apps.audit.later import record_later
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.audit.throttle import SAME_QUESTION_SECONDS, Throttle
from apps.dicom.keys import Key, Matching
from apps.studies.datasets import Level
from apps.studies.services.narrowing import Wanted

# What is asked for is written down where it is a number, a date or a code: no names.
_TOLD = frozenset({"AS", "CS", "DA", "DT", "IS", "TM", "UI"})
_NUMBERS = frozenset({"PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID"})
_LONGEST = 128
# Of the studies page: may hold names of persons.
_WORDS = frozenset({"q", "name", "description", "referrer"})

_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def told_query(
    asker: str | int, *, level: Level, keys: Sequence[Key], count: int
) -> dict[str, Any] | None:
    """What the journal is to say about a question; None where this asker asked it of late."""
    asked = sorted(
        (key for key in keys if key.matching is not Matching.UNIVERSAL), key=lambda one: one.name
    )
    question = tuple((key.name, key.values) for key in asked)
    told = {key.name: _told(key) for key in asked}
    return _once(asker, question, {"level": str(level), "keys": told, "count": count})


def note_query(*, level: Level, keys: Sequence[Key], count: int, origin: Origin) -> None:
    """Have it journalled what a person or a script asked for, and how many answers it got."""
    told = told_query(origin.peer, level=level, keys=keys, count=count)
    if told is not None:
        record_later(Kind.STUDIES_QUERIED, origin=origin, details=told)


def note_listing(wanted: Wanted, *, count: int, origin: Origin) -> None:
    """Have it journalled what a person looked for on the studies page; `count`: were shown."""
    asked = sorted((name, value) for name, value in asdict(wanted).items() if value)
    told = {name: _told_field(name, value) for name, value in asked}
    said = {"level": str(Level.STUDY), "keys": told, "count": count}
    if details := _once(origin.peer, tuple(asked), said):
        record_later(Kind.STUDIES_QUERIED, origin=origin, details=details)


def _once(
    asker: str | int, question: tuple[Any, ...], details: dict[str, Any]
) -> dict[str, Any] | None:
    key = (asker, details["level"], details["count"], question)
    return details if _questions.passes(hash(key)) else None


def _told_field(name: str, value: Any) -> str:
    if name in _WORDS:
        return "words"
    values = value if isinstance(value, tuple) else (value,)
    return "\\".join(str(one) for one in values[:10])[:_LONGEST]


def _told(key: Key) -> str:
    if key.vr not in _TOLD and key.name not in _NUMBERS:
        return str(key.matching)
    return "\\".join(key.values[:10])[:_LONGEST]
