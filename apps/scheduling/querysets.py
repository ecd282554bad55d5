"""Reading rooms and appointments."""

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.orders.models import Procedure
    from apps.scheduling.models import Appointment, Resource


class ResourceQuerySet(models.QuerySet["Resource"]):
    def bookable(self) -> Self:
        return self.filter(active=True)

    def suiting(self, procedures: "Iterable[Procedure]") -> Self:
        """Rooms in which every one of the procedures may be done.

        A room lists its procedures, or does all of its modality, or (without a modality) all.
        """
        found = self.bookable()
        for procedure in procedures:
            unlisted = models.Q(procedures=None, modality__in=["", procedure.modality])
            found = found.filter(unlisted | models.Q(procedures=procedure))
        return found.distinct()


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def on(self, day: datetime.date) -> Self:
        """Appointments that start on a day of the site's zone."""
        midnight = datetime.time()
        zone = timezone.get_default_timezone()
        begins = datetime.datetime.combine(day, midnight, zone)
        ends = datetime.datetime.combine(day + datetime.timedelta(days=1), midnight, zone)
        return self.filter(starts_at__gte=begins, starts_at__lt=ends)

    def standing(self) -> Self:
        """Appointments that hold their room: not cancelled, not missed."""
        return self.exclude(status__in=["cancelled", "noshow"])

    def open(self) -> Self:
        """Appointments that can still be moved or cancelled."""
        return self.filter(status__in=["booked", "arrived"])

    def owned_by(self, user: User) -> Self:
        return self.filter(order__referrer__user=user)
