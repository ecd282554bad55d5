"""Reading devices and steps."""

from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from apps.worklist.models import Device, ScheduledStep


class DeviceQuerySet(models.QuerySet["Device"]):
    def allowed(self) -> Self:
        return self.filter(active=True)


class ScheduledStepQuerySet(models.QuerySet["ScheduledStep"]):
    def waiting(self) -> Self:
        """Steps still to be done: what a worklist shows."""
        return self.filter(status__in=["SCHEDULED", "ARRIVED", "READY"])
