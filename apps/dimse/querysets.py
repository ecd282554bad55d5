"""Reading the work that waits for a peer."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from apps.dimse.models import CommitmentInquiry, CommitmentRequest, Retrieval


class CommitmentRequestQuerySet(models.QuerySet["CommitmentRequest"]):
    def due(self) -> Self:
        """To be verified or told now, or held by a worker that is dead."""
        open_rows = self.filter(status__in=["asked", "verified"])
        return open_rows.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at")


class CommitmentInquiryQuerySet(models.QuerySet["CommitmentInquiry"]):
    def due(self) -> Self:
        """To be asked now, or waiting for a report for too long."""
        open_rows = self.filter(status__in=["waiting", "asked"])
        return open_rows.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at")


class RetrievalQuerySet(models.QuerySet["Retrieval"]):
    def due(self) -> Self:
        """To be begun now, or held by a worker that is dead."""
        open_rows = self.filter(status__in=["waiting", "running"])
        return open_rows.filter(next_attempt_at__lte=timezone.now()).order_by("next_attempt_at")

    def running(self) -> Self:
        """Under way in a living worker."""
        return self.filter(status="running", next_attempt_at__gt=timezone.now())
