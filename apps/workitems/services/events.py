"""Telling subscribers: events are written with what they are about, and delivered from rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of
from apps.workitems.attributes import (
    PERFORMERS,
    PROGRESS,
    READINESS,
    REASON,
    REASON_CODE,
    STATE,
    STATIONS,
    element,
    text_of,
    values_of,
)
from apps.workitems.models import (
    PUSH_SOP_CLASS,
    Notice,
    Subscription,
    Workitem,
    WorkitemEvent,
)

Kind = WorkitemEvent.Kind
_AFFECTED_INSTANCE, _EVENT_TYPE = "00001000", "00001002"


def tell_state(workitem: Workitem, *, state: str = "", to: Iterable[str] | None = None) -> None:
    """A UPS State Report; `to` None: all who are subscribed to the workitem."""
    said = workitem.attributes
    report = {
        STATE: element(STATE, state or workitem.state),
        READINESS: element(READINESS, text_of(said, READINESS)),
    }
    for item in values_of(said, PROGRESS)[:1]:
        report |= {tag: item[tag] for tag in (REASON, REASON_CODE) if values_of(item, tag)}
    note_event(workitem, Kind.STATE, report, to=to)


def tell_assigned(workitem: Workitem) -> None:
    """A UPS Assigned report, where there is somebody or something it is assigned to."""
    said = workitem.attributes
    report = {STATIONS: said[STATIONS]} if values_of(said, STATIONS) else {}
    for performer in values_of(said, PERFORMERS)[:1]:
        for keyword in ("HumanPerformerCodeSequence", "HumanPerformerOrganization"):
            if values_of(performer, tag_of(keyword)):
                report[tag_of(keyword)] = performer[tag_of(keyword)]
    if report:
        note_event(workitem, Kind.ASSIGNED, report)


def tell_changes(workitem: Workitem, before: JsonDataset) -> None:
    """What PS3.4 CC.2.4.3 asks for after a change of attributes."""
    now = workitem.attributes
    if now.get(READINESS) != before.get(READINESS):
        tell_state(workitem)
    if any(now.get(tag) != before.get(tag) for tag in (STATIONS, PERFORMERS)):
        tell_assigned(workitem)
    if now.get(PROGRESS) != before.get(PROGRESS) and values_of(now, PROGRESS):
        note_event(workitem, Kind.PROGRESS, {PROGRESS: now[PROGRESS]})


def note_event(
    workitem: Workitem,
    kind: WorkitemEvent.Kind,
    report: JsonDataset,
    *,
    to: Iterable[str] | None = None,
) -> set[str]:
    """Write one event and whom to tell; returns their AE titles."""
    event = WorkitemEvent.objects.create(workitem=workitem, kind=kind, report=report)
    titles = set(receivers(workitem) if to is None else to)
    Notice.objects.bulk_create(Notice(event=event, ae_title=one) for one in sorted(titles))
    return titles


def receivers(workitem: Workitem) -> set[str]:
    """The AE titles that are subscribed to a workitem (PS3.4 table CC.2.3-2)."""
    everything = Q(scope=Subscription.Scope.ALL) & (
        Q(suspended_at=None) | Q(suspended_at__gt=workitem.created_at)
    )
    rows = Subscription.objects.filter(Q(workitem=workitem) | everything)
    own: dict[str, bool] = {}
    for_all: set[str] = set()
    for title, scope, active in rows.values_list("ae_title", "scope", "active"):
        if scope == Subscription.Scope.ONE:
            own[title] = active
        else:
            for_all.add(title)
    return {title for title, active in own.items() if active} | (for_all - own.keys())


def waiting_notices(titles: Iterable[str], *, limit: int, age: timedelta) -> list[Notice]:
    """What these AE titles are still to be told, oldest first; older than `age` is past."""
    since = timezone.now() - age
    return list(Notice.objects.waiting(titles, since=since)[:limit])


def mark_delivered(notices: Iterable[int]) -> None:
    Notice.objects.filter(pk__in=list(notices)).update(delivered_at=timezone.now())


def forget_events(*, before: datetime) -> int:
    """Forget events that nobody is told any more; returns how many."""
    return WorkitemEvent.objects.filter(at__lt=before).delete()[0]


def report_of(notice: Notice) -> JsonDataset:
    """An event as the DICOM JSON of an N-EVENT-REPORT (PS3.18 11.13, PS3.4 table CC.2.4-1)."""
    event = notice.event
    message: dict[str, Any] = {
        "00000002": {"vr": "UI", "Value": [PUSH_SOP_CLASS]},
        "00000110": {"vr": "US", "Value": [event.pk % 65535 + 1]},
        _AFFECTED_INSTANCE: {"vr": "UI", "Value": [event.workitem.sop_instance_uid]},
        _EVENT_TYPE: {"vr": "US", "Value": [event.kind]},
    }
    said: JsonDataset = event.report
    return message | said
