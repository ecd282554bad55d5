"""Reading devices and steps."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import TruncTime, Upper
from django.utils import timezone

from apps.dicom.dates import Range, parse_date_range, parse_time_range
from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.lookups import date_condition, name_condition, text_condition
from apps.patients.models import PatientIdentifier

if TYPE_CHECKING:
    from apps.worklist.models import Device, ScheduledStep

_ORDER = "requested_procedure__order"
_PATIENT = f"{_ORDER}__patient"
# Keys that are compared as text: keyword -> column.
_TEXTS = {
    "AccessionNumber": f"{_ORDER}__accession_number",
    "AdmissionID": f"{_ORDER}__visit_number",
    "Modality": "modality",
    "PatientSex": f"{_PATIENT}__sex",
    "RequestedProcedureDescription": "requested_procedure__meaning",
    "RequestedProcedureID": "requested_procedure__identifier",
    "RequestedProcedurePriority": f"{_ORDER}__priority",
    "ScheduledProcedureStepDescription": "description",
    "ScheduledProcedureStepID": "identifier",
    "ScheduledProcedureStepLocation": "location",
    "ScheduledProcedureStepStatus": "status",
    "ScheduledStationName": "station_name",
    "StudyInstanceUID": "requested_procedure__study_instance_uid",
}
_DATE = "ScheduledProcedureStepStartDate"
_TIME = "ScheduledProcedureStepStartTime"
_SEVERAL_GROUPS = ~Q(**{f"{_PATIENT}__ideographic_name": "", f"{_PATIENT}__phonetic_name": ""})


class DeviceQuerySet(models.QuerySet["Device"]):
    def allowed(self) -> Self:
        return self.filter(active=True)


class ScheduledStepQuerySet(models.QuerySet["ScheduledStep"]):
    def waiting(self) -> Self:
        """Steps still to be done: what a worklist shows."""
        return self.filter(status__in=["SCHEDULED", "ARRIVED", "READY"])

    def on_worklist(self, *, grace: timedelta, now: datetime | None = None) -> Self:
        """Waiting steps, and those started within `grace`: a device may ask once more.

        Steps of an order on hold are not to be done now.
        """
        since = (now or timezone.now()) - grace
        return self.exclude(**{f"{_ORDER}__status": "held"}).filter(
            Q(status__in=["SCHEDULED", "ARRIVED", "READY"])
            | Q(status="STARTED", started_at__gte=since)
        )

    def of_device(self, device: "Device") -> Self:
        """Steps that are planned for a device."""
        return self.filter(self._on_device(Q(device=device)))

    def matching(self, keys: Sequence[Key], *, zone: tzinfo | None = None) -> Self:
        """Steps that fit the keys of a modality worklist query (PS3.4 K.2.2.2).

        Keys may stand in the Scheduled Procedure Step Sequence, where they belong, or at
        the root, where some devices put them. Dates and times are in `zone` (None: the
        site's). Keys that are not known are return keys only. Raises BadKeyError.
        """
        asked = {key.path[-1]: key for key in keys if key.matching is not Matching.UNIVERSAL}
        rows = self._at_time(asked.get(_DATE), asked.get(_TIME), zone)
        condition = _identifiers(asked.get("PatientID"), asked.get("IssuerOfPatientID"))
        for keyword, key in asked.items():
            if keyword in _TEXTS:
                condition &= text_condition(_TEXTS[keyword], key)
            elif keyword in _OTHERS:
                condition &= _OTHERS[keyword](key)
        if "ScheduledStationAETitle" in asked:
            title = text_condition("device__ae_title", asked["ScheduledStationAETitle"])
            condition &= Q(self._on_device(title))
        rows = rows.alias(performer=Upper("performing_physician"))
        return rows.filter(condition)

    def with_identity(self) -> Self:
        """Everything a worklist line says, in a fixed number of queries."""
        related = self.select_related(
            f"{_ORDER}__patient", f"{_ORDER}__referrer", "requested_procedure__procedure"
        )
        return related.prefetch_related("devices", f"{_PATIENT}__identifiers__issuer")

    def _on_device(self, condition: Q) -> Exists:
        links = self.model.devices.through.objects.filter(scheduledstep=OuterRef("pk"))
        return Exists(links.filter(condition))

    def _at_time(self, day: Key | None, moment: Key | None, zone: tzinfo | None) -> Self:
        """Start date and time; a range of both is one period (PS3.4 table K.6-1)."""
        zone = zone or timezone.get_current_timezone()
        if moment is None and day is None:
            return self
        if day is None:
            rows = self.alias(start_time=TruncTime("starts_at", tzinfo=zone))
            return rows.filter(_clock("start_time", _time_range(moment)))
        return self.filter(_period(_date_range(day), _time_range(moment), zone))


def _date_range(key: Key) -> Range[date]:
    span = parse_date_range(key.value)
    if span is None:
        raise BadKeyError(f"{key.name}: not a date or range of dates")
    return span


def _time_range(key: Key | None) -> Range[time]:
    span = parse_time_range(key.value) if key else Range[time](None, None)
    if span is None:
        raise BadKeyError(f"{_TIME}: not a time or range of times")
    return span


def _clock(field: str, span: Range[time]) -> Q:
    """A time of day, whatever the day; `2200-0600` goes over midnight."""
    after = Q(**{f"{field}__gte": span.start}) if span.start else Q()
    before = Q(**{f"{field}__lte": span.end}) if span.end else Q()
    if span.start and span.end and span.start > span.end:
        return after | before
    return after & before


def _period(days: Range[date], clock: Range[time], zone: tzinfo) -> Q:
    """From the first day at the first time to the last day at the last time."""
    condition = Q()
    start = datetime.combine(days.start, clock.start or time.min, zone) if days.start else None
    end = datetime.combine(days.end, clock.end or time.max, zone) if days.end else None
    if start and end and start > end and days.start == days.end:
        end += timedelta(days=1)  # a night shift: 2200-0600 of one day
    if start:
        condition &= Q(starts_at__gte=start)
    if end:
        condition &= Q(starts_at__lte=end)
    return condition


def _identifiers(number: Key | None, issuer: Key | None) -> Q:
    """Any number of the patient, not only the one that is shown first."""
    condition = text_condition("value", number) if number else Q()
    if issuer:
        condition &= text_condition("issuer__namespace", issuer)
    if not condition:
        return Q()
    found = PatientIdentifier.objects.filter(condition, patient=OuterRef(f"{_PATIENT}_id"))
    return Q(Exists(found))


def _patient_name(key: Key) -> Q:
    return name_condition(f"{_PATIENT}__search_name", key, several_groups=_SEVERAL_GROUPS)


def _birth_date(key: Key) -> Q:
    return date_condition(f"{_PATIENT}__birth_date", key) & Q(
        **{f"{_PATIENT}__birth_precision": "day"}
    )


def _performer(key: Key) -> Q:
    condition = Q()
    for value in key.values:
        condition |= Q(performer__wildcard=value.upper().rstrip("^"))
    return condition


_OTHERS: dict[str, Callable[[Key], Q]] = {
    "PatientName": _patient_name,
    "PatientBirthDate": _birth_date,
    "ScheduledPerformingPhysicianName": _performer,
}
