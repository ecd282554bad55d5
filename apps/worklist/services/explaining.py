"""What devices have asked of the worklist, and why a step is on it or not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from django.db import transaction
from django.utils import timezone as clock
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset

from apps.dicom.keys import Key, Matching, keyword_vr, make_key
from apps.worklist import conditions
from apps.worklist.conditions import STEP_SEQUENCE, Condition, key_name
from apps.worklist.datasets import worklist_line
from apps.worklist.models import Device, ScheduledStep, WorklistQuery

SAMPLE, SAMPLE_HOURS = 25, 12  # steps a query is held against, around now
FRESH_SECONDS, FRESH_TIMES = 60, 10
KEPT_KEYS, KEPT_VALUES, KEPT_LENGTH = 100, 20, 64
MAY_CONNECT, MAY_READ = "may-connect", "may-read"
RULES: dict[str, Promise] = {
    MAY_CONNECT: _("The device may connect"),
    MAY_READ: _("The device may read the worklist"),
    conditions.HELD: _("The order is not on hold"),
    conditions.STATUS: _("The step waits, or was started a moment ago"),
    conditions.HIDDEN: _("The device is shown steps of this status"),
    conditions.OWN_STEPS: _("The device sees its own steps only"),
    conditions.OWN_MODALITY: _("The device sees its own modality unless it asks for another"),
}


@dataclass(frozen=True)
class Verdict:
    """One condition held against one step; `met` None: cannot be told from what is kept."""

    name: str
    label: str | Promise
    asked: str
    actual: str
    met: bool | None


@dataclass(frozen=True)
class Explanation:
    """Why a device is, or is not, shown a step if it asks again what it asked last."""

    step: ScheduledStep
    verdicts: list[Verdict]

    @property
    def shown(self) -> bool:
        return all(verdict.met is not False for verdict in self.verdicts)

    @property
    def failing(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.met is False]


def keep_query(
    device: Device,
    *,
    keys: Sequence[Key],
    zone: tzinfo | None,
    shown: Sequence[ScheduledStep],
    cut: bool,
    milliseconds: int,
) -> WorklistQuery:
    """Write down a query that has been answered; the same one again only counts.

    Names and dates of birth that were asked for are not kept, only that they were given.
    """
    said = {
        "keys": _kept_keys(keys),
        "zone_minutes": _minutes(zone),
        "answers": len(shown),
        "cut": cut,
    }
    with transaction.atomic():
        last = WorklistQuery.objects.last_of(device)
        if last and not _says(last, said):
            last = None
        misses = last.misses if last and _fresh(last) else _misses(device, keys, zone, shown)
        if last is None or misses != last.misses:
            last = WorklistQuery(device=device, times=0, misses=misses, **said)
        last.asked_at, last.times, last.milliseconds = clock.now(), last.times + 1, milliseconds
        last.save()
    return last


def _says(query: WorklistQuery, said: dict[str, Any]) -> bool:
    return all(getattr(query, name) == value for name, value in said.items())


def _fresh(query: WorklistQuery) -> bool:
    """Looking why steps are missing costs more than the query: not at each of many polls."""
    age = clock.now() - query.asked_at
    return age < timedelta(seconds=FRESH_SECONDS) and query.times % FRESH_TIMES != 0


def forget_queries(*, before: datetime) -> int:
    """Delete what was asked before that moment; returns how many rows."""
    deleted, _by_model = WorklistQuery.objects.filter(asked_at__lt=before).delete()
    return deleted


def explain(
    steps: Sequence[ScheduledStep], device: Device, *, query: WorklistQuery | None
) -> list[Explanation]:
    """Hold steps against what a device asked (None: against the rules alone)."""
    keys, zone = (kept_keys(query), _zone(query)) if query else ([], None)
    decisive = ScheduledStep.objects.conditions(device, keys, zone=zone)
    rows = ScheduledStep.objects.filter(pk__in=[step.pk for step in steps]).with_identity()
    door = [
        Verdict(MAY_CONNECT, RULES[MAY_CONNECT], "", "", device.active),
        Verdict(MAY_READ, RULES[MAY_READ], "", "", device.may_read_worklist),
    ]
    hidden = list(_unkept(query)) if query else []
    return [
        Explanation(step, [*door, *_verdicts(step, decisive, met), *hidden])
        for step, met in rows.judged(decisive)
    ]


def kept_keys(query: WorklistQuery) -> list[Key]:
    """The keys of a kept query whose values are known."""
    return [
        make_key(key["path"], key["values"], vr=key["vr"])
        for key in query.keys
        if key["values"] is not None
    ]


def asked_of(query: WorklistQuery) -> list[tuple[str | Promise, str | Promise]]:
    """What a kept query narrowed: (name, values) of each key that had any."""
    return [
        (label_of(_name(key)), _("given") if key["values"] is None else ", ".join(key["values"]))
        for key in query.keys
        if key["values"] != []
    ]


def misses_of(query: WorklistQuery) -> list[dict[str, Any]]:
    """The steps that did not match: `step`, `label` of the condition, `value` there."""
    return [{**miss, "label": label_of(miss["key"])} for miss in query.misses]


def label_of(name: str) -> str | Promise:
    """What people call a condition: a rule in words, a key as the standard names it."""
    if name in RULES:
        return RULES[name]
    tags = (tag_for_keyword(part) for part in name.split("."))
    return ", ".join(dictionary_description(tag) for tag in tags if tag is not None) or name


def _verdicts(
    step: ScheduledStep, decisive: Sequence[Condition], met: Sequence[bool]
) -> Iterator[Verdict]:
    for condition, fits in zip(decisive, met, strict=True):
        name = condition.name
        yield Verdict(name, label_of(name), condition.asked, actual_value(step, name), fits)


def _unkept(query: WorklistQuery) -> Iterator[Verdict]:
    for key in query.keys:
        name = _name(key)
        if key["values"] is None and conditions.is_matched(name):
            yield Verdict(name, label_of(name), "", "", None)


def _name(kept: dict[str, Any]) -> str:
    return key_name(Key(tuple(kept["path"]), kept["vr"], Matching.UNIVERSAL))


def _misses(
    device: Device, keys: Sequence[Key], zone: tzinfo | None, shown: Sequence[ScheduledStep]
) -> list[dict[str, str]]:
    """For steps around now that were not in the answer the first condition that failed."""
    now, span = clock.now(), timedelta(hours=SAMPLE_HOURS)
    near = ScheduledStep.objects.filter(starts_at__range=(now - span, now + span))
    missed = near.exclude(pk__in=[step.pk for step in shown]).order_by("starts_at")
    sample = list(missed.values_list("pk", flat=True)[:SAMPLE])
    if not sample:
        return []
    decisive = ScheduledStep.objects.conditions(device, keys, zone=zone)
    rows = ScheduledStep.objects.filter(pk__in=sample).with_identity().judged(decisive)
    return [miss for step, met in rows if (miss := _first_miss(step, decisive, met))]


def _first_miss(
    step: ScheduledStep, decisive: Sequence[Condition], met: Sequence[bool]
) -> dict[str, str] | None:
    failed = [one.name for one, fits in zip(decisive, met, strict=True) if not fits]
    if not failed:
        return None
    value = actual_value(step, failed[0])
    return {"step": step.identifier, "key": failed[0], "value": value}


def _kept_keys(keys: Sequence[Key]) -> list[dict[str, Any]]:
    return [
        {"path": list(key.path), "vr": key.vr, "values": _kept_values(key)}
        for key in keys[:KEPT_KEYS]
    ]


def _kept_values(key: Key) -> list[str] | None:
    too_much = len(key.values) > KEPT_VALUES or any(len(one) > KEPT_LENGTH for one in key.values)
    if key.values and (too_much or _is_private(key.path[-1], key.vr)):
        return None
    return list(key.values)


def _is_private(keyword: str, vr: str) -> bool:
    """Who the patient is: kept nowhere outside the record."""
    return "PN" in (vr, keyword_vr(keyword)) or keyword in {"PatientBirthDate", "PatientSex"}


def _minutes(zone: tzinfo | None) -> int | None:
    offset = zone.utcoffset(None) if zone else None
    return None if offset is None else int(offset.total_seconds()) // 60


def _zone(query: WorklistQuery) -> tzinfo | None:
    minutes = query.zone_minutes
    return None if minutes is None else timezone(timedelta(minutes=minutes))


def actual_value(step: ScheduledStep, name: str) -> str:
    """What a step has where a condition looks, as far as that may be shown to anybody."""
    if name in _ACTUAL:
        return _ACTUAL[name](step)
    *outer, last = name.split(".")
    if _is_private(last, ""):
        return ""
    line = worklist_line(step)
    return _told(line, [*outer, last]) or _told(line, [STEP_SEQUENCE, *outer, last])


def _told(dataset: Dataset, path: list[str]) -> str:
    value = dataset.get(path[0])
    if len(path) > 1:
        return _told(value[0], path[1:]) if value else ""
    return str(value or "")


def _titles(step: ScheduledStep) -> str:
    return ", ".join(device.ae_title for device in step.devices.all())


def _start(step: ScheduledStep) -> str:
    return f"{clock.localtime(step.starts_at):%Y%m%d %H%M}" if step.starts_at else ""


def _numbers(step: ScheduledStep) -> str:
    numbers = step.requested_procedure.order.patient.identifiers.all()
    return ", ".join(f"{one.value} ({one.issuer.namespace})" for one in numbers)


_ACTUAL: dict[str, Callable[[ScheduledStep], str]] = {
    conditions.HELD: lambda step: str(step.requested_procedure.order.get_status_display()),
    conditions.STATUS: lambda step: str(step.get_status_display()),
    conditions.HIDDEN: lambda step: str(step.get_status_display()),
    conditions.OWN_STEPS: _titles,
    conditions.OWN_MODALITY: lambda step: step.modality,
    conditions.STATION: _titles,
    conditions.START_DATE: _start,
    conditions.START_TIME: _start,
    conditions.NUMBER: _numbers,
    conditions.ISSUER: _numbers,
}
