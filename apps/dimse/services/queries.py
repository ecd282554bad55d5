"""What this door writes down about queries for studies; the same one only now and then."""

from collections.abc import Sequence

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.keys import Key, Matching
from apps.dimse.services.noting import SAME_QUESTION_SECONDS, Throttle
from apps.studies.datasets import Level
from apps.worklist.models import Device

# What is asked for is written down where it is a number, a date or a code: no names.
_TOLD = frozenset({"AS", "CS", "DA", "DT", "IS", "TM", "UI"})
_NUMBERS = frozenset({"PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID"})
_LONGEST = 128

_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def note_studies_query(
    device: Device, *, level: Level, keys: Sequence[Key], count: int, origin: Origin
) -> None:
    """Journal what a device asked for, and how many answers it got."""
    asked = [key for key in keys if key.matching is not Matching.UNIVERSAL]
    question = (device.pk, level, count, tuple((key.name, key.values) for key in asked))
    if not _questions.passes(hash(question)):
        return
    told = {key.name: _told(key) for key in sorted(asked, key=lambda one: one.name)}
    details = {"level": str(level), "keys": told, "count": count}
    record(Kind.STUDIES_QUERIED, device, origin=origin, details=details)


def _told(key: Key) -> str:
    if key.vr not in _TOLD and key.name not in _NUMBERS:
        return str(key.matching)
    return "\\".join(key.values[:10])[:_LONGEST]
