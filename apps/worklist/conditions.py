"""Why a step is on a device's worklist: each condition stands here once.

Matching asks for all of them together, explaining for each alone; so an explanation
cannot say anything else than what the device was told.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import reduce
from itertools import product
from operator import or_
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat, TruncTime, Upper
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils import timezone

from apps.dicom.dates import Range, parse_date_range, parse_time_range
from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.lookups import Wildcard, date_condition, name_condition, text_condition
from apps.patients.models import PatientIdentifier

if TYPE_CHECKING:
    from apps.worklist.models import Device

STEP_SEQUENCE = "ScheduledProcedureStepSequence"
ORDER = "requested_procedure__order"
PATIENT = f"{ORDER}__patient"
WAITING = ("SCHEDULED", "ARRIVED", "READY")
# Keys that are compared as text: name -> column.
TEXTS = {
    "AccessionNumber": f"{ORDER}__accession_number",
    "AdmissionID": f"{ORDER}__visit_number",
    "CurrentPatientLocation": f"{ORDER}__patient_location",
    "FillerOrderNumberImagingServiceRequest": f"{ORDER}__filler_number",
    "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID": f"{ORDER}__issuer__namespace",
    "Modality": "modality",
    "PatientSex": f"{PATIENT}__sex",
    "PlacerOrderNumberImagingServiceRequest": f"{ORDER}__placer_number",
    "RequestedProcedureCodeSequence.CodeValue": "requested_procedure__code",
    "RequestedProcedureCodeSequence.CodingSchemeDesignator": "requested_procedure__scheme",
    "RequestedProcedureDescription": "requested_procedure__meaning",
    "RequestedProcedureID": "requested_procedure__identifier",
    "RequestedProcedurePriority": f"{ORDER}__priority",
    "ScheduledProcedureStepDescription": "description",
    "ScheduledProcedureStepID": "identifier",
    "ScheduledProcedureStepLocation": "location",
    "ScheduledProcedureStepStatus": "status",
    "ScheduledProtocolCodeSequence.CodeValue": "protocol_code",
    "ScheduledProtocolCodeSequence.CodingSchemeDesignator": "protocol_scheme",
    "ScheduledStationName": "station_name",
    "StudyInstanceUID": "requested_procedure__study_instance_uid",
}
STATION = "ScheduledStationAETitle"
START_DATE, START_TIME = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
NUMBER, ISSUER = "PatientID", "IssuerOfPatientID"
# Rules of ours, beside the keys of the device.
HELD, STATUS, HIDDEN = "order-held", "status", "hidden-status"
OWN_STEPS, OWN_MODALITY = "own-steps", "own-modality"
_SEVERAL_GROUPS = ~Q(**{f"{PATIENT}__ideographic_name": "", f"{PATIENT}__phonetic_name": ""})
Links = QuerySet[Any]  # rows that link steps to devices


@dataclass(frozen=True)
class Condition:
    """One thing a step has to meet: `name` is that of a key, or one of the rules above."""

    name: str
    asked: str
    q: Q


def key_name(key: Key) -> str:
    """The name of a key; those of the step may also stand at the root, where some devices
    put them."""
    path = key.path[1:] if key.path[0] == STEP_SEQUENCE else key.path
    return ".".join(path)


def worklist_rules(*, grace: timedelta | None = None) -> list[Condition]:
    """What every worklist shows: waiting steps, and those started within `grace`.

    A device may ask once more for what it has started (None: as long as the site says).
    Steps of an order on hold are not to be done now.
    """
    if grace is None:
        grace = timedelta(minutes=settings.WORKLIST_STARTED_MINUTES)
    since = timezone.now() - grace
    open_steps = Q(status__in=WAITING) | Q(status="STARTED", started_at__gte=since)
    return [
        Condition(HELD, "", ~Q(**{f"{ORDER}__status": "held"})),
        Condition(STATUS, "", open_steps),
    ]


def device_rules(device: "Device", keys: Sequence[Key], *, links: Links) -> list[Condition]:
    """What the row of the device says, whatever the device asks for."""
    rules = []
    if device.hidden_statuses:
        hidden = ~Q(status__in=device.hidden_statuses)
        rules.append(Condition(HIDDEN, ", ".join(device.hidden_statuses), hidden))
    if device.only_own_steps:
        own = Q(_on_device(Q(device=device), links))
        rules.append(Condition(OWN_STEPS, device.ae_title, own))
    if device.only_own_modality and device.modality and "Modality" not in _asked(keys):
        rules.append(Condition(OWN_MODALITY, device.modality, Q(modality=device.modality)))
    return rules


def key_conditions(
    keys: Sequence[Key], *, links: Links, zone: tzinfo | None = None
) -> list[Condition]:
    """The keys of a modality worklist query (PS3.4 K.2.2.2), in the order they are looked at.

    Dates and times are in `zone` (None: the site's). Keys that are not known here are
    return keys only. Raises BadKeyError.
    """
    asked = _asked(keys)
    found = list(_start(asked, zone or timezone.get_current_timezone()))
    if STATION in asked:
        title = text_condition("device__ae_title", asked[STATION])
        found.append(_condition(STATION, asked[STATION], Q(_on_device(title, links))))
    for name, key in asked.items():
        if name in TEXTS:
            found.append(_condition(name, key, text_condition(TEXTS[name], key)))
        elif name in OTHERS:
            found.append(_condition(name, key, OTHERS[name](key)))
    return [*found, *_identifiers(asked.get(NUMBER), asked.get(ISSUER))]


def is_matched(name: str) -> bool:
    """Does a value of this key narrow the answers? Else it is a return key only."""
    known = {STATION, START_DATE, START_TIME, NUMBER, ISSUER}
    return name in known or name in TEXTS or name in OTHERS


def _asked(keys: Sequence[Key]) -> dict[str, Key]:
    return {key_name(key): key for key in keys if key.matching is not Matching.UNIVERSAL}


def _condition(name: str, key: Key, q: Q) -> Condition:
    return Condition(name, "\\".join(key.values), q)


def _on_device(condition: Q, links: Links) -> Exists:
    return Exists(links.filter(condition, scheduledstep=OuterRef("pk")))


def _start(asked: dict[str, Key], zone: tzinfo) -> Iterator[Condition]:
    """Start date and time; a range of both is one period (PS3.4 table K.6-1)."""
    day, moment = asked.get(START_DATE), asked.get(START_TIME)
    clocks = _time_ranges(moment) if moment else [Range[time](None, None)]
    if day is not None:
        text = " ".join("\\".join(key.values) for key in (day, moment) if key)
        spans = product(_date_ranges(day), clocks)
        yield Condition(START_DATE, text, _any(_period(*span, zone) for span in spans))
    elif moment is not None:
        yield _condition(START_TIME, moment, _any(_clock(span, zone) for span in clocks))


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)


def _date_ranges(key: Key) -> list[Range[date]]:
    spans = [parse_date_range(value) for value in key.values]
    if None in spans:
        raise BadKeyError(f"{key.name}: not a date or range of dates")
    return [span for span in spans if span]


def _time_ranges(key: Key) -> list[Range[time]]:
    spans = [parse_time_range(value) for value in key.values]
    if None in spans:
        raise BadKeyError(f"{key.name}: not a time or range of times")
    return [span for span in spans if span]


def _clock(span: Range[time], zone: tzinfo) -> Q:
    """A time of day, whatever the day; `2200-0600` goes over midnight."""
    moment = TruncTime("starts_at", tzinfo=zone)
    after = Q(GreaterThanOrEqual(moment, span.start)) if span.start else Q()
    before = Q(LessThanOrEqual(moment, span.end)) if span.end else Q()
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


def _identifiers(number: Key | None, issuer: Key | None) -> Iterator[Condition]:
    """Any number of the patient, not only the one that is shown first."""
    condition = text_condition("value", number) if number else Q()
    if issuer:
        condition &= text_condition("issuer__namespace", issuer)
    if condition:
        found = PatientIdentifier.objects.filter(condition, patient=OuterRef(f"{PATIENT}_id"))
        text = " ".join(key.value for key in (number, issuer) if key)
        yield Condition(NUMBER if number else ISSUER, text, Q(Exists(found)))


def _patient_name(key: Key) -> Q:
    return name_condition(f"{PATIENT}__search_name", key, several_groups=_SEVERAL_GROUPS)


def _birth_date(key: Key) -> Q:
    known = Q(**{f"{PATIENT}__birth_precision": "day"})
    return date_condition(f"{PATIENT}__birth_date", key) & known


def _performer(key: Key) -> Q:
    return _person(Upper("performing_physician"), key)


def _referrer(key: Key) -> Q:
    who = f"{ORDER}__referrer"
    name = Concat(F(f"{who}__family_name"), Value("^"), F(f"{who}__given_name"))
    return Q(**{f"{who}__isnull": False}) & _person(Upper(name), key)


def _person(column: Any, key: Key) -> Q:
    """A PN against a column in upper case; components at its end may be left out."""
    condition = Q()
    for value in key.values:
        pattern = value.upper().rstrip("^")
        condition |= Q(Wildcard(column, pattern)) | Q(Wildcard(column, f"{pattern}^*"))
    return condition


OTHERS: dict[str, Callable[[Key], Q]] = {
    "PatientName": _patient_name,
    "PatientBirthDate": _birth_date,
    "ReferringPhysicianName": _referrer,
    "RequestingPhysician": _referrer,
    "ScheduledPerformingPhysicianName": _performer,
}
