"""Reading studies."""

from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.studies.models import Study


class StudyQuerySet(models.QuerySet["Study"]):
    def owned_by(self, user: User) -> Self:
        """Studies of a referrer's own orders."""
        return self.filter(procedures__order__referrer__user=user).distinct()
