"""Reading exports."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count
from django.utils import timezone

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.exports.models import Export, HeldObject


class ExportQuerySet(models.QuerySet["Export"]):
    def owned_by(self, user: User) -> Self:
        """Those a person has asked for."""
        return self.filter(user=user)

    def due(self) -> Self:
        """Those to be worked at now, the oldest first."""
        return self.filter(status="queued").order_by("id")

    def over(self) -> Self:
        """Those that are kept no longer."""
        return self.exclude(status="running").filter(expires_at__lte=timezone.now())

    def newest_first(self) -> Self:
        """Everything a line of the list says, in one query."""
        rows = self.select_related("user", "profile").annotate(studies_count=Count("studies"))
        return rows.order_by("-id")


class HeldObjectQuerySet(models.QuerySet["HeldObject"]):
    def undecided(self) -> Self:
        return self.filter(decision="open")

    def chosen(self, keys: Iterable[int]) -> Self:
        return self.filter(pk__in=list(keys))

    def shown(self) -> Self:
        """With what a picture of each needs."""
        rows = self.select_related("instance__series__study").order_by("id")
        return rows.defer("instance__header", "instance__frame_table", "instance__bulk_table")
