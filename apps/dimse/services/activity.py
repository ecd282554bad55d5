"""What a device did last, from the rows it left; no patients named."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.audit.models import Event, Kind
from apps.worklist.models import Device, PerformedStep, WorklistQuery

MOST = 8


@dataclass(frozen=True)
class Deed:
    moment: datetime
    text: str

    @property
    def at(self) -> str:
        """As pages write moments: in the site's zone and format."""
        return date_format(timezone.localtime(self.moment), "DATETIME_FORMAT")


def last_deeds(device: Device) -> list[Deed]:
    """The newest first: worklist queries, reported steps, journal rows about the device."""
    if device.pk is None:
        return []
    found = [*_queries(device), *_steps(device), *_events(device)]
    return sorted(found, key=lambda deed: deed.moment, reverse=True)[:MOST]


def _queries(device: Device) -> list[Deed]:
    rows = WorklistQuery.objects.filter(device=device)[:3]
    return [Deed(row.asked_at, _asked(row)) for row in rows]


def _asked(row: WorklistQuery) -> str:
    count = {"count": row.answers, "times": row.times}
    if row.times == 1:
        return _("asked for the worklist: %(count)d answers") % count
    return _("asked for the worklist (%(times)d times in a row): %(count)d answers") % count


def _steps(device: Device) -> list[Deed]:
    rows = PerformedStep.objects.filter(device=device, started_at__isnull=False)[:3]
    text = _("reported a step: %(status)s")
    return [
        Deed(row.ended_at or row.started_at, text % {"status": row.get_status_display()})
        for row in rows
        if row.started_at
    ]


def _events(device: Device) -> list[Deed]:
    about = Event.objects.filter(subject_type=Device._meta.label, subject_id=str(device.pk))
    about = about.exclude(kind=Kind.WORKLIST_QUERIED)  # told above
    return [Deed(row.at, str(row.get_kind_display())) for row in about.order_by("-id")[:MOST]]
