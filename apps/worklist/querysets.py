"""Reading devices, steps and what devices have asked for."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils import timezone

from apps.dicom.keys import Key
from apps.worklist.conditions import (
    ORDER,
    PATIENT,
    WAITING,
    Condition,
    Links,
    device_rules,
    key_conditions,
    worklist_rules,
)

if TYPE_CHECKING:
    from apps.worklist.models import Device, ScheduledStep, WorklistQuery


class DeviceQuerySet(models.QuerySet["Device"]):
    def allowed(self) -> Self:
        return self.filter(active=True)


class ScheduledStepQuerySet(models.QuerySet["ScheduledStep"]):
    def on(self, day: date) -> Self:
        """Steps that start on a day of the site's zone."""
        zone = timezone.get_default_timezone()
        begins = datetime.combine(day, time(), zone)
        ends = datetime.combine(day + timedelta(days=1), time(), zone)
        return self.filter(starts_at__gte=begins, starts_at__lt=ends)

    def waiting(self) -> Self:
        """Steps still to be done: what a worklist shows."""
        return self.filter(status__in=WAITING)

    def on_worklist(self, *, grace: timedelta) -> Self:
        """Waiting steps, and those started within `grace`: a device may ask once more."""
        return self.meeting(worklist_rules(grace=grace))

    def shown_to(
        self, device: "Device", keys: Sequence[Key], *, zone: tzinfo | None = None
    ) -> Self:
        """What a device is answered when it asks with these keys. Raises BadKeyError."""
        return self.meeting(self.conditions(device, keys, zone=zone))

    def matching(self, keys: Sequence[Key], *, zone: tzinfo | None = None) -> Self:
        """Steps that fit the keys of a modality worklist query (PS3.4 K.2.2.2).

        Keys may stand in the Scheduled Procedure Step Sequence, where they belong, or at
        the root, where some devices put them. Dates and times are in `zone` (None: the
        site's). Keys that are not known are return keys only. Raises BadKeyError.
        """
        return self.meeting(key_conditions(keys, zone=zone, links=self._links))

    def conditions(
        self, device: "Device", keys: Sequence[Key], *, zone: tzinfo | None = None
    ) -> list[Condition]:
        """All that decides what a device is shown for these keys. Raises BadKeyError."""
        return [
            *worklist_rules(),
            *device_rules(device, keys, links=self._links),
            *key_conditions(keys, zone=zone, links=self._links),
        ]

    def meeting(self, conditions: Sequence[Condition]) -> Self:
        """Steps for which every condition holds."""
        together = Q()
        for condition in conditions:
            together &= condition.q
        return self.filter(together)

    def judged(
        self, conditions: Sequence[Condition]
    ) -> "Iterator[tuple[ScheduledStep, list[bool]]]":
        """Each step with what became of each condition, in one query."""
        names = [f"condition{number}" for number in range(len(conditions))]
        told = {
            name: ExpressionWrapper(condition.q, output_field=BooleanField())
            for name, condition in zip(names, conditions, strict=True)
        }
        for step in self.annotate(**told):
            yield step, [bool(getattr(step, name)) for name in names]

    def numbered(self, number: str) -> Self:
        """The step with this ID, or the steps of the order with this accession number."""
        number = number.strip()
        return self.filter(Q(identifier=number) | Q(**{f"{ORDER}__accession_number": number}))

    def with_identity(self) -> Self:
        """Everything a worklist line says, in a fixed number of queries."""
        related = self.select_related(
            f"{ORDER}__patient",
            f"{ORDER}__referrer",
            f"{ORDER}__issuer",
            "requested_procedure__procedure",
        )
        return related.prefetch_related("devices", f"{PATIENT}__identifiers__issuer")

    @property
    def _links(self) -> Links:
        return self.model.devices.through.objects.all()


class WorklistQueryQuerySet(models.QuerySet["WorklistQuery"]):
    def last_of(self, device: "Device") -> "WorklistQuery | None":
        """What a device has asked for most recently."""
        return self.filter(device=device).order_by("-asked_at", "-pk").first()
