"""Reading rules and transfers."""

import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

if TYPE_CHECKING:
    from apps.routing.models import Rule, Transfer, TransferItem
    from apps.studies.models import Study


class RuleQuerySet(models.QuerySet["Rule"]):
    def in_order(self) -> Self:
        """Rules in use, the most urgent first: the first to name a destination counts."""
        rows = self.filter(active=True).select_related("source", "referrer")
        rows = rows.prefetch_related("destinations")
        return rows.order_by("priority", "delay_minutes", "id")


class TransferQuerySet(models.QuerySet["Transfer"]):
    def due(self) -> Self:
        """Transfers to be sent now, the most urgent first, then the oldest.

        A destination is sent one thing at a time. While it cannot be reached all that waits
        for it waits for the one transfer that tries: the others keep their attempts.
        """
        now = timezone.now()
        same = self.model._default_manager.filter(destination=OuterRef("destination"))
        busy = same.filter(status="sending")
        resting = same.filter(status="waiting", unreached=True, next_attempt_at__gt=now)
        waiting = self.filter(status="waiting", next_attempt_at__lte=now).willing()
        rows = waiting.filter(~Exists(busy), ~Exists(resting))
        return rows.order_by("priority", "id")

    def willing(self) -> Self:
        """Whose destination may be sent it: what is switched off is waited for."""
        images = Q(content="images", destination__may_receive=True)
        notices = Q(content="availability", destination__wants_availability=True)
        return self.filter(images | notices, destination__active=True)

    def given_up(self) -> Self:
        return self.filter(status__in=["partly", "failed"])

    def under_way(self) -> Self:
        return self.filter(status__in=["waiting", "sending"])

    def older_than(self, age: datetime.timedelta) -> Self:
        return self.filter(created_at__lt=timezone.now() - age)

    def with_names(self) -> Self:
        """Everything a line of the list says, in one query."""
        return self.select_related("study", "destination", "rule", "asked_by").annotate(
            series_count=Count("series")
        )

    def counts(self) -> dict[str, int]:
        """How many there are of each status."""
        rows = self.order_by().values("status").annotate(count=Count("pk"))
        return {row["status"]: row["count"] for row in rows}


class TransferItemQuerySet(models.QuerySet["TransferItem"]):
    def arrived_before(self, study: "Study", destination: Any) -> Self:
        """Images of a study that a rule had sent there."""
        return self.filter(
            arrived=True,
            transfer__study=study,
            transfer__destination=destination,
            transfer__rule__isnull=False,
        )
