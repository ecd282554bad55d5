"""Reading studies, series and instances by the keys of a query (PS3.4 C.6.2, PS3.18 10.6)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Case, Count, Exists, Max, Min, OuterRef, Q, Sum, Value, When
from django.utils import timezone

from apps.accounts.models import User
from apps.dicom import lookups
from apps.dicom.dates import Range, format_date, parse_date_range, parse_time_range
from apps.dicom.keys import BadKeyError, Key, Matching, Terms
from apps.dicom.matching import name_fits
from apps.dicom.names import search_form
from apps.dicom.uids import valid_uid

if TYPE_CHECKING:
    from apps.studies.models import Correction, Instance, Series, Study

Condition = Callable[[str, Key], Q]
USUAL = Terms()
REJECTED = "rejected"  # studies that are not answered, as Study.Status has it


def _name(column: str, key: Key) -> Q:
    several = Q(**{f"{column.replace('search_name', 'name')}__contains": "="})
    return lookups.name_condition(column, key, several_groups=several)


def _da_text(column: str, key: Key) -> Q:
    """A DA kept as text: its order is that of the calendar."""
    condition = Q()
    for value in key.values:
        span = parse_date_range(value)
        if span is None:
            raise BadKeyError(f"{key.name}: not a date or range of dates")
        part = Q(**{f"{column}__gte": format_date(span.start)}) & ~Q(**{column: ""})
        if span.end:
            part &= Q(**{f"{column}__lte": format_date(span.end)})
        condition |= part
    return condition


def _step_date(column: str, key: Key) -> Q:
    """The date of a column that has date and time as one text."""
    condition = Q()
    for value in key.values:
        span = parse_date_range(value)
        if span is None:
            raise BadKeyError(f"{key.name}: not a date or range of dates")
        part = Q(**{f"{column}__gte": format_date(span.start)}) & ~Q(**{column: ""})
        if span.end and span.end < date.max:
            part &= Q(**{f"{column}__lt": format_date(span.end + timedelta(days=1))})
        condition |= part
    return condition


def _modalities(column: str, key: Key) -> Q:
    condition = Q()
    for value in key.values:
        condition |= Q(**{f"{column}__wildcard": f"*\\{value}\\*"})
    return condition


def _referrer(column: str, key: Key) -> Q:
    """Names as they stand in the column: `_spelled` has looked up which ones are meant."""
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
    "NumberOfFrames": ("frames", lookups.integer_condition),
}


# A date and its time, which may be agreed to be one moment (PS3.4 C.2.2.2.5.1).
_MOMENTS = (("StudyDate", "StudyTime"), ("SeriesDate", "SeriesTime"))


def _condition(
    keys: Iterable[Key],
    known: Mapping[str, tuple[str, Condition]],
    prefix: str = "",
    *,
    terms: Terms = USUAL,
) -> Q:
    """All keys of one level together; keys of other levels and unknown ones are passed over."""
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
        if terms.fuzzy and compare is _name:
            condition &= lookups.fuzzy_name_condition(prefix + column, key)
        else:
            condition &= compare(prefix + column, key)
    return condition


def _is_moment(asked: Mapping[str, Key], day: str, clock: str, terms: Terms) -> bool:
    if any(len(asked[name].values) > 1 for name in (day, clock) if name in asked):
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


def _spelled(keys: Iterable[Key], studies: models.QuerySet["Study"]) -> list[Key]:
    """Keys with the names of referrers as they are spelled in the index.

    There are few of them, and no column holds their form for searches.
    """
    made = list(keys)
    for number, key in enumerate(made):
        if key.name == "ReferringPhysicianName" and key.matching is not Matching.UNIVERSAL:
            names = studies.order_by().values_list("referring_physician", flat=True).distinct()
            fitting = [
                name for name in names if name and any(name_fits(one, name) for one in key.values)
            ]
            made[number] = replace(key, matching=Matching.LIST, values=tuple(fitting))
    return made


# A patient without a number is told from others by the name.
_NAMELESS = Case(When(patient_identifier="", then="patient_name"), default=Value(""))


class StudyQuerySet(models.QuerySet["Study"]):
    def owned_by(self, user: User) -> Self:
        """Studies of a referrer's own orders."""
        return self.filter(procedures__order__referrer__user=user).distinct()

    def answerable(self) -> Self:
        """Without those that were rejected: they are kept, and answered to nobody."""
        return self.exclude(status=REJECTED)

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Studies fitting all keys; keys of series and instances ask for one such below.

        Unknown keys are passed over (PS3.4 C.2.2.1.3). Raises BadKeyError.
        """
        keys = _spelled(keys, self.model._default_manager.all())
        rows = self.filter(_condition(keys, STUDY_KEYS, terms=terms))
        series = _condition(keys, SERIES_KEYS, terms=terms)
        instances = _condition(keys, INSTANCE_KEYS)
        # Not a join: a study with ten fitting series is still one study.
        if series or instances:
            below = self._below(series, instances)
            rows = rows.filter(Exists(below.filter(study=OuterRef("pk"))))
        return rows

    def patients(self) -> models.QuerySet["Study", dict[str, Any]]:
        """One row per patient: by number and issuer, by name where there is no number."""
        rows: Any = (
            self.order_by()
            .values("patient_identifier", "patient_identifier_issuer", nameless=_NAMELESS)
            .annotate(
                any_name=Max("patient_name"),
                any_birth_date=Max("patient_birth_date"),
                any_sex=Max("patient_sex"),
                first_study=Min("pk"),
            )
        )
        found: models.QuerySet[Study, dict[str, Any]] = rows
        return found

    def patient_counts(
        self, patients: Iterable[tuple[str, str, str]]
    ) -> dict[tuple[str, ...], tuple[int, int, int]]:
        """Studies, series and instances of patients, each as number, issuer and name."""
        asked = set(patients)
        numbers = [number for number, _, _ in asked if number]
        names = [name for number, _, name in asked if not number]
        condition = Q(patient_identifier__among=numbers)
        if names:
            condition |= Q(patient_identifier="", patient_name__among=names)
        rows = (
            self.order_by()
            .filter(condition)
            .values_list("patient_identifier", "patient_identifier_issuer", _NAMELESS)
            .annotate(Count("pk"), Sum("series_count"), Sum("instance_count"))
        )
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def by(self, text: str) -> Self:
        """Studies whose name, number, accession number or UID fits what was typed."""
        text = text.strip()
        if not text:
            return self
        if "." in text and valid_uid(text):
            return self.filter(study_instance_uid=text)
        by_name = Q()
        for word in search_form(text).split():
            by_name &= Q(patient_search_name__contains=word)
        by_number = Q(patient_identifier__iexact=text) | Q(accession_number__iexact=text)
        return self.filter(by_name | by_number if by_name else by_number)

    def wanted(
        self,
        *,
        q: str = "",
        modality: str = "",
        since: date | None = None,
        until: date | None = None,
        match: str = "",
    ) -> Self:
        """Studies that fit what the search form says; what is empty does not narrow."""
        rows = self.by(q)
        if modality:
            rows = rows.filter(modalities__contains=f"\\{modality.upper()}\\")
        if since:
            rows = rows.filter(study_date__gte=since)
        if until:
            rows = rows.filter(study_date__lte=until)
        if match == "open":
            return rows.exclude(match="matched")
        return rows.filter(match=match) if match else rows

    def newest_first(self, *, after: str = "", limit: int) -> "list[Study]":
        """A page of studies: dated ones from the newest, then those without a date.

        `after` is the `page_key` of the last study of the page before; one that is no key
        begins anew. Two queries at most: engines disagree where a null date sorts.
        """
        day, _, number = after.partition("_")
        key = int(number) if number.isascii() and number.isdigit() else None
        found: list[Study] = []
        if key is None or day:
            found = list(self._dated(day, key).order_by("-study_date", "-id")[:limit])
        if len(found) < limit:
            undated = self.filter(study_date=None)
            if key is not None and not day:
                undated = undated.filter(id__lt=key)
            found += undated.order_by("-id")[: limit - len(found)]
        return found

    def _dated(self, day: str, key: int | None) -> Self:
        rows = self.filter(study_date__isnull=False)
        try:
            since = date.fromisoformat(day)
        except ValueError:
            return rows
        earlier = Q(study_date__lt=since) | Q(study_date=since, id__lt=key)
        return rows.filter(earlier) if key is not None else rows

    def _below(self, series: Q, instances: Q) -> models.QuerySet["Series"]:
        rows: Any = self.model._meta.get_field("series").related_model
        found: models.QuerySet[Series] = rows.objects.filter(series)
        if instances:
            lowest: Any = rows._meta.get_field("instances").related_model
            fitting = lowest.objects.filter(instances, series=OuterRef("pk"))
            found = found.filter(Exists(fitting))
        return found


class SeriesQuerySet(models.QuerySet["Series"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(study__procedures__order__referrer__user=user).distinct()

    def answerable(self) -> Self:
        return self.exclude(study__status=REJECTED)

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Series fitting keys of their own level, of their study, and of one instance below."""
        parent: Any = self.model._meta.get_field("study").related_model
        keys = _spelled(keys, parent.objects.all())
        rows = self.filter(
            _condition(keys, SERIES_KEYS, terms=terms),
            _condition(keys, STUDY_KEYS, "study__", terms=terms),
        )
        instances = _condition(keys, INSTANCE_KEYS)
        if instances:
            lowest: Any = self.model._meta.get_field("instances").related_model
            fitting = lowest.objects.filter(instances, series=OuterRef("pk"))
            rows = rows.filter(Exists(fitting))
        return rows


class InstanceQuerySet(models.QuerySet["Instance"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(series__study__procedures__order__referrer__user=user).distinct()

    def answerable(self) -> Self:
        return self.exclude(series__study__status=REJECTED)

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Instances fitting keys of all levels."""
        series: Any = self.model._meta.get_field("series").related_model
        study = series._meta.get_field("study").related_model
        keys = _spelled(keys, study.objects.all())
        return self.filter(
            _condition(keys, INSTANCE_KEYS),
            _condition(keys, SERIES_KEYS, "series__", terms=terms),
            _condition(keys, STUDY_KEYS, "series__study__", terms=terms),
        )

    def representative(self, column: str, keys: Iterable[Any]) -> "dict[Any, Instance]":
        """One instance for each study (`series__study_id`) or series (`series_id`), the first."""
        rows = self.order_by().filter(**{f"{column}__in": list(keys)})
        first = dict(rows.values_list(column).annotate(Min("pk")))
        rows = self.filter(pk__in=first.values()).select_related("series__study")
        found = rows.defer("frame_table").in_bulk()
        return {key: found[pk] for key, pk in first.items() if pk in found}

    def light(self) -> Self:
        """Without the large columns."""
        return self.defer("header", "frame_table", "bulk_table")


class CorrectionQuerySet(models.QuerySet["Correction"]):
    def open(self) -> Self:
        """Those that are shown, in the order in which they were made."""
        return self.filter(undone_at=None).order_by("id")

    def within(self, series_id: int) -> Self:
        """Those of a series: of its study, of itself and of its instances."""
        rows = self.filter(study__series=series_id)
        return rows.filter(Q(series=None, instance=None) | Q(series=series_id))
