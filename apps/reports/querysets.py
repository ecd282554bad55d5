"""Reading reports."""

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import (
    Case,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Value,
    When,
)

from apps.accounts.models import User
from apps.orders.models import Order, RequestedProcedure

if TYPE_CHECKING:
    from apps.reports.models import Report, ReportPicture, ReportVersion

# How long an exam may wait for its report; the reading list sorts by what is due first.
READING_TARGETS = {
    Order.Priority.STAT: datetime.timedelta(minutes=30),
    Order.Priority.HIGH: datetime.timedelta(hours=4),
    Order.Priority.ROUTINE: datetime.timedelta(hours=24),
    Order.Priority.MEDIUM: datetime.timedelta(hours=48),
    Order.Priority.LOW: datetime.timedelta(hours=72),
}
RELEASED = ("final", "addended", "corrected")


class ReportQuerySet(models.QuerySet["Report"]):
    def owned_by(self, user: User) -> Self:
        """A referrer's own reports, once final."""
        return self.filter(order__referrer__user=user, status__in=RELEASED)

    def of_studies(self, studies: Iterable[int]) -> dict[int, "Report"]:
        """The report of each of these studies, the later one where there are several."""
        column = "order__procedures__studies"
        pairs = self.filter(**{f"{column}__in": list(studies)}).order_by("id")
        keys = dict(pairs.values_list(column, "pk"))
        found = self.in_bulk(set(keys.values()))
        return {study: found[report] for study, report in keys.items()}

    def with_modality(self, modality: str) -> Self:
        """Reports of exams of one modality."""
        asked = RequestedProcedure.objects.filter(
            order=OuterRef("order"), procedure__modality=modality
        )
        return self.filter(Exists(asked))

    def modalities(self) -> list[str]:
        """The modalities of all exams that have a report: what the list can be narrowed to."""
        asked = RequestedProcedure.objects.filter(order__report__isnull=False)
        found = asked.order_by("procedure__modality").values_list("procedure__modality", flat=True)
        return list(found.distinct())

    def most_urgent_first(self) -> Self:
        """STAT before all else, then what is due first: `due_at` is age against priority."""
        target = Case(
            *(When(order__priority=key, then=Value(time)) for key, time in READING_TARGETS.items()),
            default=Value(READING_TARGETS[Order.Priority.ROUTINE]),
            output_field=DurationField(),
        )
        due = ExpressionWrapper(F("created_at") + target, output_field=models.DateTimeField())
        stat = Case(When(order__priority=Order.Priority.STAT, then=0), default=1)
        return self.annotate(due_at=due, stat_first=stat).order_by("stat_first", "due_at", "id")

    def to_open(self, study: int) -> "Report | None":
        """The report of a study; where it has several, one that is still to be written."""
        rows = self.filter(order__procedures__studies=study).distinct()
        done = Case(When(status__in=RELEASED, then=1), default=0)
        return rows.order_by(done, "-id").first()

    def unread_by(self, user: User) -> Self:
        """What waits for this reader: nobody's, and what the reader has only claimed so far."""
        return self.filter(models.Q(status="unread") | models.Q(status="claimed", claimed_by=user))

    def next_after(self, current: "Report | None") -> "Report | None":
        """The one below `current` in the order of the reading list, from the top after the last.

        These rows are the ones to choose from; `current` itself is never among the answers.
        """
        rows = self.exclude(pk=current.pk) if current else self
        ordered: Any = rows.most_urgent_first()
        if current is None:
            top: Report | None = ordered.first()
            return top
        every: Any = self.model._default_manager.filter(pk=current.pk)
        stat, due = every.most_urgent_first().values_list("stat_first", "due_at").get()
        below = (
            models.Q(stat_first__gt=stat)
            | models.Q(stat_first=stat, due_at__gt=due)
            | models.Q(stat_first=stat, due_at=due, id__gt=current.pk)
        )
        found: Report | None = ordered.filter(below).first() or ordered.first()
        return found

    def for_reading_list(self) -> Self:
        """With everything a row of the reading list shows, in a fixed number of queries."""
        return self.select_related("order__patient", "claimed_by").prefetch_related(
            "order__patient__identifiers",
            "order__procedures__procedure",
            "order__procedures__studies",
        )


class ReportVersionQuerySet(models.QuerySet["ReportVersion"]):
    def owned_by(self, user: User) -> Self:
        """What a referrer may read: own results, never a preliminary one."""
        return self.filter(report__order__referrer__user=user).exclude(status="preliminary")

    def without_pdf(self) -> Self:
        """For lists: the PDF itself stays in the database."""
        return self.select_related("signer", "author").defer("pdf")


class ReportPictureQuerySet(models.QuerySet["ReportPicture"]):
    def without_bytes(self) -> Self:
        """For lists: the pictures themselves stay in the database."""
        return self.defer("picture")

    def digests(self) -> list[str]:
        """SHA-256 of each, and its caption: which pictures a version was made with."""
        rows = self.order_by("place", "id").values_list("sha256", "caption")
        return [f"{digest} {caption}" for digest, caption in rows]
