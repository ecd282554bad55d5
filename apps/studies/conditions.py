"""What the keys of a query ask of the columns of the index (PS3.4 C.2.2.2, C.6.2)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.dicom import lookups
from apps.dicom.dates import Range, format_date, parse_date_range, parse_time_range
from apps.dicom.keys import USUAL, BadKeyError, Key, Matching, Terms
from apps.dicom.matching import name_fits, name_fits_fuzzily

if TYPE_CHECKING:
    from apps.studies.models import Study

Condition = Callable[[str, Key], Q]


def _name(column: str, key: Key) -> Q:
    several = Q(**{f"{column.replace('search_name', 'name')}__contains": "="})
    return lookups.name_condition(column, key, several_groups=several)


def _da_text(column: str, key: Key) -> Q:
    """A DA kept as text: its order is that of the calendar."""
    return _within(column, key, lambda end: Q(**{f"{column}__lte": format_date(end)}))


def _step_date(column: str, key: Key) -> Q:
    """The date of a column that has date and time as one text."""

    def until(end: date) -> Q:
        if end == date.max:
            return Q()
        return Q(**{f"{column}__lt": format_date(end + timedelta(days=1))})

    return _within(column, key, until)


def _within(column: str, key: Key, until: Callable[[date], Q]) -> Q:
    """Texts that begin with a date of one of the ranges; `until` says what the last day means."""
    condition = Q()
    for value in key.values:
        span = parse_date_range(value)
        if span is None:
            raise BadKeyError(f"{key.name}: not a date or range of dates")
        part = Q(**{f"{column}__gte": format_date(span.start)}) & ~Q(**{column: ""})
        condition |= part & until(span.end) if span.end else part
    return condition


def _modalities(column: str, key: Key) -> Q:
    every = key.matching is Matching.MULTIPLE
    condition = Q()
    for value in key.values:
        one = Q(**{f"{column}__wildcard": f"*\\{value}\\*"})
        condition = condition & one if every else condition | one
    return condition


def _frames(column: str, key: Key) -> Q:
    """The number of frames; an object without pixels is answered without one."""
    if key.matching is Matching.EMPTY:
        return ~_has_pixels(column)
    return _has_pixels(column) & lookups.integer_condition(column, key)


def _has_pixels(column: str) -> Q:
    return Q(**{f"{column.removesuffix('frames')}rows__gt": 0})


def _referrer(column: str, key: Key) -> Q:
    """Names as they stand in the column: `spelled` has looked up which ones are meant."""
    return Q(**{f"{column}__among": key.values})


# What can be asked for at each level: keyword -> column and comparison.
STUDY_KEYS: Mapping[str, tuple[str, Condition]] = {
    "StudyInstanceUID": ("study_instance_uid", lookups.text_condition),
    "PatientID": ("patient_identifier", lookups.text_condition),
    "IssuerOfPatientID": ("patient_identifier_issuer", lookups.text_condition),
    "PatientName": ("patient_search_name", _name),
    "PatientBirthDate": ("patient_birth_date", _da_text),
    "PatientSex": ("patient_sex", lookups.text_condition),
    "StudyDate": ("study_date", lookups.date_condition),
    "StudyTime": ("study_time", lookups.time_condition),
    "AccessionNumber": ("accession_number", lookups.text_condition),
    "StudyID": ("study_id", lookups.text_condition),
    "StudyDescription": ("description", lookups.text_condition),
    "ReferringPhysicianName": ("referring_physician", _referrer),
    "ModalitiesInStudy": ("modalities", _modalities),
    "NumberOfStudyRelatedSeries": ("series_count", lookups.integer_condition),
    "NumberOfStudyRelatedInstances": ("instance_count", lookups.integer_condition),
}
SERIES_KEYS: Mapping[str, tuple[str, Condition]] = {
    "SeriesInstanceUID": ("series_instance_uid", lookups.text_condition),
    "Modality": ("modality", lookups.text_condition),
    "SeriesNumber": ("number", lookups.integer_condition),
    "SeriesDescription": ("description", lookups.text_condition),
    "BodyPartExamined": ("body_part", lookups.text_condition),
    "Laterality": ("laterality", lookups.text_condition),
    "ProtocolName": ("protocol_name", lookups.text_condition),
    "StationName": ("station_name", lookups.text_condition),
    "SeriesDate": ("series_date", lookups.date_condition),
    "SeriesTime": ("series_time", lookups.time_condition),
    "PerformedProcedureStepStartDate": ("performed_step_start", _step_date),
    "NumberOfSeriesRelatedInstances": ("instance_count", lookups.integer_condition),
}
INSTANCE_KEYS: Mapping[str, tuple[str, Condition]] = {
    "SOPInstanceUID": ("sop_instance_uid", lookups.text_condition),
    "SOPClassUID": ("sop_class_uid", lookups.text_condition),
    "SOPClassesInStudy": ("sop_class_uid", lookups.text_condition),
    "AvailableTransferSyntaxUID": ("transfer_syntax_uid", lookups.text_condition),
    "InstanceNumber": ("number", lookups.integer_condition),
    "Rows": ("rows", lookups.integer_condition),
    "Columns": ("columns", lookups.integer_condition),
    "BitsAllocated": ("bits_allocated", lookups.integer_condition),
    "NumberOfFrames": ("frames", _frames),
}


# A date and its time, which may be agreed to be one moment (PS3.4 C.2.2.2.5.1).
_MOMENTS = (("StudyDate", "StudyTime"), ("SeriesDate", "SeriesTime"))


# Columns that are null where the object has no value; texts are empty there.
_NULLABLE = frozenset({lookups.date_condition, lookups.time_condition, lookups.integer_condition})


def condition_of(
    keys: Iterable[Key],
    known: Mapping[str, tuple[str, Condition]],
    prefix: str = "",
    *,
    terms: Terms = USUAL,
) -> Q:
    """All keys of one level together; keys of other levels and unknown ones are passed over.

    `known` is one of the tables above, `prefix` the way to its columns. Raises BadKeyError.
    """
    asked = {key.name: key for key in keys if key.matching is not Matching.UNIVERSAL}
    condition = Q()
    for day, clock in _MOMENTS:
        if day in known and day in asked and _is_moment(asked, day, clock, terms):
            columns = (prefix + known[day][0], prefix + known[clock][0])
            condition &= _period(columns, asked.pop(day), asked.pop(clock, None), terms)
    for name, key in asked.items():
        if name not in known:
            continue
        column, compare = known[name]
        if key.matching is Matching.EMPTY and compare is not _frames:
            condition &= _empty(prefix + column, compare)
        elif terms.fuzzy and compare is _name:
            condition &= lookups.fuzzy_name_condition(prefix + column, key)
        else:
            condition &= compare(prefix + column, key)
    return condition


def _empty(column: str, compare: Condition) -> Q:
    """No value (PS3.4 C.2.2.2.7)."""
    if compare in _NULLABLE:
        return Q(**{f"{column}__isnull": True})
    return Q(**{column: ""})


def _is_moment(asked: Mapping[str, Key], day: str, clock: str, terms: Terms) -> bool:
    keys = [asked[name] for name in (day, clock) if name in asked]
    if any(len(key.values) > 1 or key.matching is Matching.EMPTY for key in keys):
        return False
    # In another time zone a day begins at another time of ours, whatever was agreed.
    return terms.zone is not None or (terms.combined and clock in asked)


def _period(columns: tuple[str, str], day: Key, clock: Key | None, terms: Terms) -> Q:
    """From the first day at the first time to the last day at the last time."""
    days = parse_date_range(day.value)
    times = parse_time_range(clock.value) if clock else Range[time](None, None)
    if days is None or times is None:
        raise BadKeyError(f"{day.name}: not a date and time, or range of them")
    start = datetime.combine(days.start, times.start or time.min) if days.start else None
    end = datetime.combine(days.end, times.end or time.max) if days.end else None
    return lookups.period_condition(
        *columns, start=_site_time(start, terms), end=_site_time(end, terms)
    )


def _site_time(moment: datetime | None, terms: Terms) -> datetime | None:
    """A moment of the caller's clock on the clock of the site, which the columns are in."""
    if moment is None or terms.zone is None:
        return moment
    site = timezone.get_default_timezone()
    try:
        return moment.replace(tzinfo=terms.zone).astimezone(site).replace(tzinfo=None)
    except OverflowError:  # the first or the last day there is
        return moment


_UNSPELLED = (Matching.UNIVERSAL, Matching.EMPTY)


def spelled(
    keys: Iterable[Key], studies: models.QuerySet["Study"], terms: Terms = USUAL
) -> list[Key]:
    """Keys with the names of referrers as they are spelled in the index.

    There are few of them, and no column holds their form for searches.
    """
    made = list(keys)
    fits = name_fits_fuzzily if terms.fuzzy else name_fits
    for number, key in enumerate(made):
        if key.name == "ReferringPhysicianName" and key.matching not in _UNSPELLED:
            names = studies.order_by().values_list("referring_physician", flat=True).distinct()
            fitting = [
                name for name in names if name and any(fits(one, name) for one in key.values)
            ]
            made[number] = replace(key, matching=Matching.LIST, values=tuple(fitting))
    return made
