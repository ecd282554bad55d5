"""Reading studies, series and instances by the keys of a query (PS3.4 C.6.2, PS3.18 10.6)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from apps.accounts.models import User
from apps.dicom import lookups
from apps.dicom.dates import format_date, parse_date_range
from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.names import search_form
from apps.dicom.uids import valid_uid

if TYPE_CHECKING:
    from apps.studies.models import Correction, Instance, Series, Study

Condition = Callable[[str, Key], Q]


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


def _modalities(column: str, key: Key) -> Q:
    condition = Q()
    for value in key.values:
        condition |= Q(**{f"{column}__wildcard": f"*\\{value}\\*"})
    return condition


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
    "ReferringPhysicianName": ("referring_physician", lookups.text_condition),
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
    "NumberOfSeriesRelatedInstances": ("instance_count", lookups.integer_condition),
}
INSTANCE_KEYS: Mapping[str, tuple[str, Condition]] = {
    "SOPInstanceUID": ("sop_instance_uid", lookups.text_condition),
    "SOPClassUID": ("sop_class_uid", lookups.text_condition),
    "AvailableTransferSyntaxUID": ("transfer_syntax_uid", lookups.text_condition),
    "InstanceNumber": ("number", lookups.integer_condition),
    "Rows": ("rows", lookups.integer_condition),
    "Columns": ("columns", lookups.integer_condition),
    "NumberOfFrames": ("frames", lookups.integer_condition),
}


def _condition(
    keys: Iterable[Key],
    known: Mapping[str, tuple[str, Condition]],
    prefix: str = "",
    *,
    fuzzy: bool = False,
) -> Q:
    """All keys of one level together; keys of other levels and unknown ones are passed over."""
    condition = Q()
    for key in keys:
        if key.matching is Matching.UNIVERSAL or key.name not in known:
            continue
        column, compare = known[key.name]
        if fuzzy and compare is _name:
            condition &= lookups.fuzzy_name_condition(prefix + column, key)
        else:
            condition &= compare(prefix + column, key)
    return condition


class StudyQuerySet(models.QuerySet["Study"]):
    def owned_by(self, user: User) -> Self:
        """Studies of a referrer's own orders."""
        return self.filter(procedures__order__referrer__user=user).distinct()

    def matching(self, keys: Iterable[Key], *, fuzzy: bool = False) -> Self:
        """Studies fitting all keys; keys of series and instances ask for one such below.

        Unknown keys are passed over (PS3.4 C.2.2.1.3). Raises BadKeyError.
        """
        keys = list(keys)
        rows = self.filter(_condition(keys, STUDY_KEYS, fuzzy=fuzzy))
        series = _condition(keys, SERIES_KEYS)
        instances = _condition(keys, INSTANCE_KEYS)
        # Not a join: a study with ten fitting series is still one study.
        if series or instances:
            below = self._below(series, instances)
            rows = rows.filter(Exists(below.filter(study=OuterRef("pk"))))
        return rows

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

    def matching(self, keys: Iterable[Key], *, fuzzy: bool = False) -> Self:
        """Series fitting keys of their own level and of their study."""
        keys = list(keys)
        return self.filter(
            _condition(keys, SERIES_KEYS), _condition(keys, STUDY_KEYS, "study__", fuzzy=fuzzy)
        )


class InstanceQuerySet(models.QuerySet["Instance"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(series__study__procedures__order__referrer__user=user).distinct()

    def matching(self, keys: Iterable[Key], *, fuzzy: bool = False) -> Self:
        """Instances fitting keys of all levels."""
        keys = list(keys)
        return self.filter(
            _condition(keys, INSTANCE_KEYS),
            _condition(keys, SERIES_KEYS, "series__"),
            _condition(keys, STUDY_KEYS, "series__study__", fuzzy=fuzzy),
        )

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
