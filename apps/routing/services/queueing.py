"""Putting transfers into the queue: by rule when a study is complete, or by hand."""

import logging
import uuid
from collections.abc import Iterable, Sequence

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.routing.models import Priority, Rule, Transfer
from apps.routing.services.fitting import routes
from apps.studies.models import Series, Study
from apps.studies.services.recording import record_of_study
from apps.worklist.models import Device

log = logging.getLogger(__name__)


class SendingRefused(ValueError):
    """The study cannot be sent so; the text may be shown to a person."""


def route_study(event: Event) -> list[Transfer]:
    """Queue what the rules say about a study that is complete. Safe to run twice.

    A study that finds its order only after it was complete is sent by the rules that waited
    for that; of a study with late images only those are sent.
    """
    study = _study_of(event)
    if study is None:
        return []
    matched = event.kind == Kind.STUDY_MATCHED
    if matched and not _was_complete(study, event):
        return []
    found = routes(study, matched_only=matched)
    rows = [_routed(study, device, rule, event) for device, rule in found.items()]
    return _queue(rows)


def tell_availability(event: Event) -> list[Transfer]:
    """Queue the notice of a complete study to every device that wants to be told."""
    study = _study_of(event)
    devices = Device.objects.filter(active=True, wants_availability=True)
    rows = [
        Transfer(content=Transfer.Content.AVAILABILITY, study=study, destination=one, event=event)
        for one in devices
        if study
    ]
    return _queue(rows)


def ask_to_send(
    study: Study,
    *,
    destinations: Sequence[Device],
    series: Sequence[Series] = (),
    priority: int = Priority.HIGH,
    key: uuid.UUID | None = None,
    origin: Origin,
) -> list[Transfer]:
    """Queue a study, or some of its series, to devices chosen by a person.

    `key` names the request: the same one again queues nothing. Raises SendingRefused.
    """
    if not destinations or any(not one.may_receive or not one.active for one in destinations):
        raise SendingRefused(_("This device may not be sent images."))
    key = key or uuid.uuid4()
    rows = [
        Transfer(study=study, destination=one, priority=priority, key=key, asked_by=origin.user)
        for one in destinations
    ]
    with transaction.atomic():
        queued = _queue(rows)
        for row in queued:
            row.series.set(series)
            record_transfer(
                Kind.TRANSFER_ASKED, row, origin=origin, details={"series": len(series)}
            )
    return queued


def ring() -> None:
    """Nudge the worker after commit. The row is the queue: a lost nudge is found by the sweep."""
    transaction.on_commit(_ring, robust=True)


def record_transfer(
    kind: Kind, row: Transfer, *, origin: Origin | None = None, details: dict[str, object]
) -> None:
    """One journal row about a transfer: to whom, what, and which study it is."""
    device, study = row.destination, row.study
    record_of_study(
        kind,
        study,
        row,
        origin=origin or Origin(protocol="dicom", peer=device.ae_title, user=row.asked_by),
        details={"to": device.ae_title, "content": row.content, **details},
    )


def _ring() -> None:
    try:
        current_app.send_task("apps.routing.tasks.send_waiting")
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): transfers wait for the sweep", type(error).__name__)


def _study_of(event: Event) -> Study | None:
    return Study.objects.filter(pk=event.subject_id).first()


def _was_complete(study: Study, event: Event) -> bool:
    """Had the study been complete before this? If not, its completion will route it."""
    completed = Event.objects.filter(
        subject_type=study._meta.label, subject_id=str(study.pk), kind=Kind.STUDY_COMPLETE
    )
    return study.status != Study.Status.RECEIVING and completed.filter(pk__lt=event.pk).exists()


def _routed(study: Study, device: Device, rule: Rule, event: Event) -> Transfer:
    return Transfer(
        study=study,
        destination=device,
        rule=rule,
        event=event,
        priority=rule.priority,
        only_new=event.kind == Kind.STUDY_EXTENDED,
        next_attempt_at=timezone.now() + rule.delay,
    )


def _queue(rows: Iterable[Transfer]) -> list[Transfer]:
    """Write the rows that are not there yet; returns those that are new."""
    with transaction.atomic():
        queued = [row for row in rows if _inserted(row)]
        if queued:
            ring()
    return queued


def _inserted(row: Transfer) -> bool:
    """False where the event or the request has its row already: the constraints know."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True
