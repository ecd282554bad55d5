"""Reading studies, series and instances by the keys of a query (PS3.4 C.6.2, PS3.18 10.6)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models import Case, Count, Exists, Max, Min, OuterRef, Q, Sum, Value, When
from django.utils import timezone

from apps.accounts.models import User
from apps.dicom.keys import USUAL, Key, Matching, Terms
from apps.dicom.names import search_form
from apps.dicom.uids import valid_uid
from apps.studies.conditions import (
    INSTANCE_KEYS,
    SERIES_KEYS,
    STUDY_KEYS,
    condition_of,
    spelled,
)

if TYPE_CHECKING:
    from apps.studies.models import (
        Correction,
        Instance,
        RegularSeries,
        Rejection,
        SavedFilter,
        Series,
        Study,
        Upload,
    )

M = TypeVar("M", bound=models.Model)
REJECTED = "rejected"  # studies that are not answered, as Study.Status has it

# A patient without a number is told from others by the name.
_NAMELESS = Case(When(patient_identifier="", then="patient_name"), default=Value(""))


class AnswerableManager(models.Manager[M]):
    """Rows that may be answered with: what was rejected is found by `everything` alone.

    The first manager of its models, so that nothing that lists or sends images needs to
    think of it: relations to many use it, too.
    """

    def get_queryset(self) -> models.QuerySet[M]:
        rows: Any = super().get_queryset()
        answerable: models.QuerySet[M] = rows.answerable()
        return answerable


class StudyQuerySet(models.QuerySet["Study"]):
    def owned_by(self, user: User) -> Self:
        """Studies of a referrer's own orders."""
        return self.filter(procedures__order__referrer__user=user).distinct()

    def of_study(self, uid: str) -> Self:
        """The study with this UID."""
        return self.filter(study_instance_uid=uid)

    def answerable(self) -> Self:
        """Without those that were rejected: they are kept, and answered to nobody."""
        return self.exclude(status=REJECTED)

    def labelled(self, names: Iterable[str]) -> Self:
        """Studies that bear every one of these labels, in whatever case they are written."""
        rows = self
        hung: Any = self.model._meta.get_field("labellings").related_model
        for name in names:
            fitting = hung.objects.filter(study=OuterRef("pk"), label__name__iexact=name)
            rows = rows.filter(Exists(fitting))
        return rows

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Studies fitting all keys; keys of series and instances ask for one such below.

        Unknown keys are passed over (PS3.4 C.2.2.1.3). Raises BadKeyError.
        """
        keys = spelled(keys, self.model._default_manager.all(), terms)
        # What modalities its series have, the study says sooner than they do.
        sooner = [
            replace(key, path=("ModalitiesInStudy",))
            for key in keys
            if key.name == "Modality" and key.matching is not Matching.EMPTY
        ]
        rows = self.filter(
            condition_of(keys, STUDY_KEYS, terms=terms), condition_of(sooner, STUDY_KEYS)
        )
        series = condition_of(keys, SERIES_KEYS, terms=terms)
        instances = condition_of(keys, INSTANCE_KEYS)
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

    def without_order(self, match: str = "") -> Self:
        """Studies that no order was found for or that contradict theirs; `match` says which."""
        # Written as the index is, or SQLite would not see that it fits.
        rows = self.filter(~Q(match="matched"))
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

    def of_study(self, uid: str) -> Self:
        return self.filter(study__study_instance_uid=uid)

    def answerable(self) -> Self:
        return self.filter(rejection=None)

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Series fitting keys of their own level, of their study, and of one instance below."""
        parent: Any = self.model._meta.get_field("study").related_model
        keys = spelled(keys, parent.objects.all(), terms)
        rows = self.filter(
            condition_of(keys, SERIES_KEYS, terms=terms),
            condition_of(keys, STUDY_KEYS, "study__", terms=terms),
        )
        instances = condition_of(keys, INSTANCE_KEYS)
        if instances:
            lowest: Any = self.model._meta.get_field("instances").related_model
            fitting = lowest.objects.filter(instances, series=OuterRef("pk"))
            rows = rows.filter(Exists(fitting))
        return rows


class InstanceQuerySet(models.QuerySet["Instance"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(series__study__procedures__order__referrer__user=user).distinct()

    def of_study(self, uid: str) -> Self:
        return self.filter(series__study__study_instance_uid=uid)

    def answerable(self) -> Self:
        return self.filter(rejection=None)

    def matching(self, keys: Iterable[Key], terms: Terms = USUAL) -> Self:
        """Instances fitting keys of all levels."""
        series: Any = self.model._meta.get_field("series").related_model
        study = series._meta.get_field("study").related_model
        keys = spelled(keys, study.objects.all(), terms)
        return self.filter(
            condition_of(keys, INSTANCE_KEYS),
            condition_of(keys, SERIES_KEYS, "series__", terms=terms),
            condition_of(keys, STUDY_KEYS, "series__study__", terms=terms),
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


class RegularSeriesQuerySet(models.QuerySet["RegularSeries"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(source__study__procedures__order__referrer__user=user).distinct()

    def waiting(self) -> Self:
        """Those to be made, the oldest first."""
        return self.filter(state="waiting").order_by("asked_at", "id")


class RejectionQuerySet(models.QuerySet["Rejection"]):
    def owned_by(self, _user: User) -> Self:
        return self.none()  # for those who work with the archive

    def in_force(self) -> Self:
        return self.filter(restored_at=None)

    def by_people(self) -> Self:
        """Those that somebody decided, not those of a newer version in place of an older one."""
        return self.exclude(code="superseded")

    def wide(self) -> Self:
        """Those that hold for what is still to come."""
        return self.in_force().filter(instance=None)

    def for_list(self) -> Self:
        """With everything that a line about one shows."""
        return self.select_related("study", "series", "instance", "user")


class UploadQuerySet(models.QuerySet["Upload"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(user=user)

    def of(self, user: User) -> Self:
        """A user's own, whatever the role: nobody sees what somebody else is uploading."""
        return self.owned_by(user)

    def unfinished(self) -> Self:
        return self.filter(state="receiving")

    def begun_before(self, moment: datetime) -> Self:
        return self.filter(created_at__lt=moment)


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def usable_by(self, user: User) -> Self:
        """One's own, and what is shared."""
        return self.filter(Q(owner=user) | Q(shared=True))
