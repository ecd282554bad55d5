"""Reading appointments."""

import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.scheduling.models import Appointment


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def on(self, day: datetime.date) -> Self:
        """Appointments that start on a day of the site's zone."""
        return self.filter(starts_at__date=day)

    def standing(self) -> Self:
        """Appointments that hold their room: not cancelled, not missed."""
        return self.exclude(status__in=["cancelled", "noshow"])

    def owned_by(self, user: User) -> Self:
        return self.filter(order__referrer__user=user)
