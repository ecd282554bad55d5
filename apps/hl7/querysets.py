"""Reading messages."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from apps.hl7.models import Message


class MessageQuerySet(models.QuerySet["Message"]):
    def due(self) -> Self:
        """Messages to be sent now, oldest first."""
        return self.filter(status="waiting", next_attempt_at__lte=timezone.now()).order_by("id")
