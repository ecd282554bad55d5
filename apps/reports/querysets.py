"""Reading reports."""

from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.reports.models import Report


class ReportQuerySet(models.QuerySet["Report"]):
    def owned_by(self, user: User) -> Self:
        """A referrer's own reports, once final."""
        return self.filter(
            order__referrer__user=user, status__in=["final", "addended", "corrected"]
        )

    def to_read(self) -> Self:
        """Reports that still need a radiologist."""
        return self.filter(status__in=["unread", "claimed", "draft", "preliminary"])
