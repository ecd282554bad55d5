"""Writing the journal, and starting what it sets off."""

import hashlib
import importlib
import json
from dataclasses import dataclass
from typing import Any

from celery import Task, current_app
from django.conf import settings
from django.db import connection, models, transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Event, Kind

CHAIN_LOCK = 0x0A0D17  # PostgreSQL advisory lock: one sealer at a time


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request came from: door, peer (AE title, HL7 partner), address, person."""

    protocol: str
    peer: str = ""
    address: str = ""
    user: User | None = None


SYSTEM = Origin(protocol="system")


def origin_of(request: HttpRequest) -> Origin:
    """The origin of a page or DICOMweb request."""
    user = request.user if isinstance(request.user, User) else None
    return Origin(
        protocol="web",
        peer=user.username if user else "",
        address=request.META.get("REMOTE_ADDR", ""),
        user=user,
    )


def record(
    kind: Kind,
    subject: models.Model | None,
    *,
    origin: Origin,
    patient_id: int | None = None,
    accession_number: str = "",
    study_instance_uid: str = "",
    details: dict[str, Any] | None = None,
) -> Event:
    """Write one journal row in the caller's transaction; start its subscribers after commit.

    `subject` is None where nothing of ours is concerned (a refused stranger).
    `details` must not hold patient names; keys, numbers and UIDs only.
    """
    subscribed = kind.value in settings.AUDIT_SUBSCRIBERS
    event = Event.objects.create(
        kind=kind,
        user=origin.user,
        protocol=origin.protocol,
        peer=origin.peer,
        address=origin.address,
        subject_type=subject._meta.label if subject else "",
        subject_id=str(subject.pk) if subject else "",
        patient_id=patient_id,
        accession_number=accession_number,
        study_instance_uid=study_instance_uid,
        details=details or {},
        delivered_at=None if subscribed else timezone.now(),
    )
    if subscribed:
        transaction.on_commit(lambda: ring(event.pk), robust=True)
    return event


def ring(event_id: int) -> None:
    """Nudge the worker. The row is the queue: a lost nudge is found by `deliver_waiting`."""
    current_app.send_task("apps.audit.tasks.deliver", args=[event_id])


def deliver(event_id: int) -> None:
    """Start every subscriber of one event, then stamp it; a stamped event is left alone."""
    event = Event.objects.filter(pk=event_id, delivered_at=None).first()
    if event is None:
        return
    for path in settings.AUDIT_SUBSCRIBERS.get(event.kind, []):
        subscriber(path).delay(event_id)
    Event.objects.filter(pk=event_id, delivered_at=None).update(delivered_at=timezone.now())


def subscriber(path: str) -> Task[Any, Any]:
    """The Celery task named by a dotted path of AUDIT_SUBSCRIBERS."""
    module, _, name = path.rpartition(".")
    task: Task[Any, Any] = getattr(importlib.import_module(module), name)
    return task


def seal(*, limit: int = 1000) -> int:
    """Give unsealed rows their place in the hash chain; returns how many were sealed.

    Done after commit and by one process, so that the chain costs the writers nothing
    and rows of slow transactions find their place when they become visible.
    """
    with transaction.atomic():
        _take_chain_lock()
        last = Event.objects.exclude(position=None).order_by("position").last()
        position, digest = (last.position or 0, last.digest) if last else (0, "")
        rows = list(Event.objects.filter(position=None).order_by("id")[:limit])
        for row in rows:
            position += 1
            digest = chain_digest(row, previous=digest)
            row.position, row.digest = position, digest
        Event.objects.bulk_update(rows, ["position", "digest"], batch_size=200)
    return len(rows)


def broken_links() -> list[int]:
    """Positions at which the chain does not hold: a row was changed, removed or inserted."""
    broken: list[int] = []
    expected, digest = 0, ""
    for row in Event.objects.exclude(position=None).order_by("position").iterator():
        expected += 1
        if row.position != expected or chain_digest(row, previous=digest) != row.digest:
            broken.append(row.position or 0)
            expected = row.position or 0
        digest = row.digest
    return broken


def chain_digest(row: Event, *, previous: str) -> str:
    """SHA-256 over the previous digest and everything the row says, as hex."""
    said = [
        previous,
        row.pk,
        row.kind,
        row.at.isoformat(),
        row.user_id,
        row.protocol,
        row.peer,
        row.address,
        row.subject_type,
        row.subject_id,
        row.patient_id,
        row.accession_number,
        row.study_instance_uid,
        row.details,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _take_chain_lock() -> None:
    # SQLite needs none: an IMMEDIATE transaction is alone already.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
