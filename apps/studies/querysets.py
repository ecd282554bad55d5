"""Reading studies."""

from datetime import date
from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User
from apps.dicom.names import search_form

if TYPE_CHECKING:
    from apps.studies.models import Study


class StudyQuerySet(models.QuerySet["Study"]):
    def owned_by(self, user: User) -> Self:
        """Studies of a referrer's own orders."""
        return self.filter(procedures__order__referrer__user=user).distinct()

    def wanted(
        self,
        *,
        q: str = "",
        modality: str = "",
        since: date | None = None,
        until: date | None = None,
        match: str = "",
    ) -> Self:
        """Studies that fit what the search form says; what is empty does not narrow."""
        rows = self.found_by(q) if q.strip() else self
        if modality:
            rows = rows.filter(modalities__contains=f"\\{modality.upper()}\\")
        if since:
            rows = rows.filter(study_date__gte=since)
        if until:
            rows = rows.filter(study_date__lte=until)
        if match == "open":
            return rows.exclude(match="matched")
        return rows.filter(match=match) if match else rows

    def found_by(self, text: str) -> Self:
        """Studies whose patient, accession number or UID fits what was typed."""
        number = text.strip()
        by_name = models.Q()
        for word in search_form(text).split():
            by_name &= models.Q(patient_search_name__contains=word)
        return self.filter(
            by_name
            | models.Q(patient_identifier=number)
            | models.Q(accession_number=number)
            | models.Q(study_instance_uid=number)
        )

    def newest_first(self, *, after: str = "", limit: int) -> "list[Study]":
        """A page of studies: dated ones from the newest, then those without a date.

        `after` is the `page_key` of the last study of the page before; one that is no key
        begins anew. Two queries at most: engines disagree where a null date sorts.
        """
        day, _, number = after.partition("_")
        key = int(number) if number.isascii() and number.isdigit() else None
        found: list[Study] = []
        if key is None or day:
            found = list(self._dated(day, key).order_by("-study_date", "-id")[:limit])
        if len(found) < limit:
            undated = self.filter(study_date=None)
            if key is not None and not day:
                undated = undated.filter(id__lt=key)
            found += undated.order_by("-id")[: limit - len(found)]
        return found

    def _dated(self, day: str, key: int | None) -> Self:
        rows = self.filter(study_date__isnull=False)
        try:
            since = date.fromisoformat(day)
        except ValueError:
            return rows
        earlier = models.Q(study_date__lt=since) | models.Q(study_date=since, id__lt=key)
        return rows.filter(earlier) if key is not None else rows
