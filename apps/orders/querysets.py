"""Reading orders and the catalogue."""

import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.orders.models import Order, Procedure


class ProcedureQuerySet(models.QuerySet["Procedure"]):
    def orderable(self) -> Self:
        return self.filter(active=True)


class OrderQuerySet(models.QuerySet["Order"]):
    def owned_by(self, user: User) -> Self:
        """Orders a referrer has placed."""
        return self.filter(referrer__user=user)

    def open(self) -> Self:
        """Orders that still wait for something of ours."""
        return self.exclude(status__in=["reported", "cancelled", "discontinued"])

    def requested_today(self) -> Self:
        """Orders that came in since midnight of the site's zone."""
        zone = timezone.get_default_timezone()
        today = timezone.localdate(timezone=zone)
        return self.filter(
            requested_at__gte=datetime.datetime.combine(today, datetime.time(), zone)
        )

    def numbered(self, text: str) -> Self:
        """Orders with this accession or placer number, as typed or scanned."""
        spellings = {text.strip(), text.strip().upper()}
        return self.filter(
            models.Q(accession_number__in=spellings) | models.Q(placer_number__in=spellings)
        )

    def for_list(self) -> Self:
        """With what a line of a list shows."""
        return self.select_related("patient", "referrer").prefetch_related(
            "procedures", "patient__identifiers"
        )
