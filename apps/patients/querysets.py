"""Reading patients."""

from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User
from apps.dicom.names import search_form

if TYPE_CHECKING:
    from apps.patients.models import Patient


class PatientQuerySet(models.QuerySet["Patient"]):
    def current(self) -> Self:
        """Patients that are not merged into another."""
        return self.exclude(status="merged")

    def matching(self, text: str) -> Self:
        """Patients whose name, identifier or phone fits what was typed or scanned."""
        by_name = models.Q()
        for word in search_form(text).split():
            by_name &= models.Q(search_name__contains=word)
        by_number = models.Q(identifiers__value__iexact=text.strip())
        by_phone = models.Q(phone=text.strip())
        return self.filter(by_name | by_number | by_phone).distinct()

    def owned_by(self, user: User) -> Self:
        """Patients whom a referrer has sent here."""
        return self.filter(orders__referrer__user=user).distinct()
