"""Patients that may be the same person as the one about to be entered."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.dicom.names import search_form
from apps.patients.models import Patient
from apps.patients.services.numbers import IdentifierDetails
from apps.patients.services.registration import PatientDetails

WORTH_SHOWING = 3
STRONG = 5
SIMILAR_NAME = 0.84
MOST_COMPARED = 200


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A patient who may be the same person, why, and how sure that is (points)."""

    patient: Patient
    reasons: list[str]
    score: int

    @property
    def strong(self) -> bool:
        """So likely the same that entering a new patient should be confirmed."""
        return self.score >= STRONG


def possible_duplicates(
    details: PatientDetails, *, identifiers: Sequence[IdentifierDetails] = ()
) -> list[tuple[Patient, list[str]]]:
    """Who may be the same person, with the reasons; the strongest first."""
    ranked = ranked_duplicates(details, identifiers=identifiers)
    return [(candidate.patient, candidate.reasons) for candidate in ranked]


def ranked_duplicates(
    details: PatientDetails, *, identifiers: Sequence[IdentifierDetails] = (), limit: int = 5
) -> list[Candidate]:
    """As `possible_duplicates`, with points; at most `limit` of them."""
    values = [one.value.strip() for one in identifiers if one.value.strip()]
    narrowed = _narrowing(details, values)
    if not narrowed:
        return []
    pool = (
        Patient.objects.current().filter(narrowed).prefetch_related("identifiers")[:MOST_COMPARED]
    )
    scored = [_score(patient, details, values) for patient in pool]
    worth = [candidate for candidate in scored if candidate.score >= WORTH_SHOWING]
    return sorted(worth, key=lambda one: (-one.score, one.patient.pk))[:limit]


def _narrowing(details: PatientDetails, values: list[str]) -> Q:
    """What a candidate shares at the least, each part answered by an index of its own."""
    shared = Q()
    family = search_form(details.family_name)
    if family and details.given_name:
        shared |= _among(search_name__startswith=f"{family} {search_form(details.given_name)}")
    if family and details.birth_date:
        year = details.birth_date.year
        shared |= _among(search_name__startswith=family[:3], birth_date__year=year)
    for day in _confusable(details.birth_date):
        shared |= Q(birth_date=day)
    if details.phone.strip():
        shared |= Q(phone=details.phone.strip())
    if values:
        shared |= _among(identifiers__value__in=values)
    return shared


def _among(**conditions: Any) -> Q:
    return Q(pk__in=Patient.objects.filter(**conditions).values("pk"))


def _confusable(day: datetime.date | None) -> list[datetime.date]:
    """The date itself, and the one with day and month exchanged."""
    if day is None:
        return []
    if day.day > 12:
        return [day]
    return [day, datetime.date(day.year, day.day, day.month)]


def _score(patient: Patient, details: PatientDetails, values: list[str]) -> Candidate:
    found = [
        _same_number(patient, values),
        _same_name(patient, details),
        _same_birth_date(patient, details),
        _same_phone(patient, details),
    ]
    points = sum(worth for worth, _reason in found)
    if details.sex and patient.sex and details.sex != patient.sex:
        points -= 2
    reasons = [reason for _worth, reason in found if reason]
    return Candidate(patient=patient, reasons=reasons, score=points)


def _same_number(patient: Patient, values: list[str]) -> tuple[int, str]:
    if any(one.value in values for one in patient.identifiers.all()):
        return 5, _("same number")
    return 0, ""


def _same_name(patient: Patient, details: PatientDetails) -> tuple[int, str]:
    theirs = sorted(search_form(f"{patient.family_name} {patient.given_name}").split())
    ours = sorted(search_form(f"{details.family_name} {details.given_name}").split())
    if theirs == ours:
        return 3, _("same name")
    if SequenceMatcher(None, " ".join(theirs), " ".join(ours)).ratio() >= SIMILAR_NAME:
        return 2, _("similar name")
    return 0, ""


def _same_birth_date(patient: Patient, details: PatientDetails) -> tuple[int, str]:
    theirs, ours = patient.birth_date, details.birth_date
    if theirs is None or ours is None:
        return 0, ""
    to_the_day = {patient.birth_precision, details.birth_precision or "day"} == {"day"}
    if theirs == ours and to_the_day:
        return 3, _("same date of birth")
    if to_the_day and theirs in _confusable(ours):
        return 2, _("day and month of birth exchanged")
    if theirs.year == ours.year:
        return 1, _("same year of birth")
    return 0, ""


def _same_phone(patient: Patient, details: PatientDetails) -> tuple[int, str]:
    if details.phone.strip() and patient.phone == details.phone.strip():
        return 2, _("same phone")
    return 0, ""
