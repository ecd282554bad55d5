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
        """Patients whose name, identifier, phone or accession number fits what was typed."""
        return self.filter(self._named(text) | self._numbered(text))

    def numbered(self, text: str) -> Self:
        """Patients with just this identifier, phone or accession number, as scanned."""
        return self.filter(self._numbered(text))

    def for_list(self) -> Self:
        """With what a line of a list shows."""
        return self.prefetch_related("identifiers")

    def owned_by(self, user: User) -> Self:
        """Patients whom a referrer has sent here."""
        return self.filter(orders__referrer__user=user).distinct()

    def _named(self, text: str) -> models.Q:
        by_name = models.Q()
        for word in search_form(text).split():
            by_name &= models.Q(search_name__contains=word)
        # Keys first: the scan for parts of names then reads the index alone, not the rows.
        return models.Q(pk__in=self.model._base_manager.filter(by_name).values("pk"))

    def _numbered(self, text: str) -> models.Q:
        # Equality on either spelling, not iexact, which no index answers.
        spellings = {text.strip(), text.strip().upper()}
        patients = self.model._base_manager
        known = patients.filter(identifiers__value__in=spellings).values("pk")
        ordered = patients.filter(orders__accession_number__in=spellings).values("pk")
        return models.Q(pk__in=known) | models.Q(pk__in=ordered) | models.Q(phone__in=spellings)
