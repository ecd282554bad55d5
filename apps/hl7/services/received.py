"""Messages that came in: kept before anything else, then taken or refused."""

import datetime
import hashlib
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.hl7 import messages
from apps.hl7.acks import Verdict
from apps.hl7.fields import Person
from apps.hl7.models import Message, Partner
from apps.orders.models import Referrer

# Of a stranger only this much is kept: nobody fills the disk by knocking.
STRANGER_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a message was about, once its effect is there."""

    stream: str = ""
    patient_id: int | None = None
    accession_number: str = ""
    # Why nothing was changed (older news, an order known already); no names.
    note: str = ""


def keep_received(partner: Partner, *, raw: bytes, header: messages.Segment) -> Message:
    """The row of a message, committed; the row it has already if this is a repeat.

    A repeat has the same control ID, the same type and the same content after its MSH. A
    control ID used again with others is a new message: some senders start counting afresh.
    """
    kind = "^".join(part for part in (header.get(9), header.get(9, 2)) if part)
    row, _created = Message.objects.get_or_create(
        direction=Message.Direction.IN,
        partner=partner,
        control_id=header.get(10)[:199],
        # With the type: an A11 may hold nothing that the A01 before did not.
        body_sha256=hashlib.sha256(kind.encode() + b"\r" + messages.body(raw)).hexdigest(),
        defaults={
            "raw": raw,
            "message_type": kind[:16],
            "status": Message.Status.STORED,
        },
    )
    return row


def note_repeat(message: Message) -> None:
    """Count a message that was sent again after it had been taken."""
    Message.objects.filter(pk=message.pk).update(repeats=F("repeats") + 1)


def locked(message: Message) -> Message:
    """The row as it is now, held until the transaction ends."""
    return Message.objects.select_for_update().get(pk=message.pk)


def conclude(
    message: Message,
    *,
    taken: Taken,
    acknowledgement: bytes,
    happened_at: datetime.datetime | None,
    origin: Origin,
) -> None:
    """Say that the message has had its effect, in the transaction of that effect."""
    with transaction.atomic():
        message.status = Message.Status.PROCESSED
        message.stream = taken.stream
        message.happened_at = happened_at
        message.acknowledgement = acknowledgement
        message.error = (taken.note or _note_of_reuse(message))[:200]
        message.save()
        audit.record(
            Kind.MESSAGE_RECEIVED,
            message,
            origin=origin,
            patient_id=taken.patient_id,
            accession_number=taken.accession_number,
            details=_about(message),
        )


def refuse(message: Message, *, verdict: Verdict, acknowledgement: bytes, origin: Origin) -> None:
    """Say that the message was refused, and why."""
    with transaction.atomic():
        message.status = Message.Status.REFUSED
        message.acknowledgement = acknowledgement
        message.error = f"{verdict.status} {verdict.code} {verdict.at} {verdict.text}"[:200]
        message.save(update_fields=["status", "acknowledgement", "error"])
        details = {**_about(message), "code": verdict.code, "at": verdict.at}
        audit.record(Kind.MESSAGE_REFUSED, message, origin=origin, details=details)


def note_failure(message: Message, *, error: str) -> None:
    """Remember what went wrong on our side; the message stays to be sent again."""
    Message.objects.filter(pk=message.pk).update(error=error[:200])


def refuse_stranger(
    raw: bytes, *, kind: str, verdict: Verdict, acknowledgement: bytes, origin: Origin
) -> Message:
    """Keep and refuse a message that no partner of ours sent, or that nobody can read."""
    with transaction.atomic():
        message = Message.objects.create(
            direction=Message.Direction.IN,
            message_type=kind[:16],
            status=Message.Status.REFUSED,
            raw=raw[:STRANGER_BYTES],
            acknowledgement=acknowledgement,
            error=f"{verdict.status} {verdict.code} {verdict.text}"[:200],
        )
        details = {"type": message.message_type, "code": verdict.code}
        audit.record(Kind.MESSAGE_REFUSED, message, origin=origin, details=details)
    return message


def is_old_news(partner: Partner, *, stream: str, happened_at: datetime.datetime | None) -> bool:
    """Has this partner told something later about the same thing already?"""
    if happened_at is None:
        return False
    later = Message.objects.filter(
        direction=Message.Direction.IN,
        status=Message.Status.PROCESSED,
        partner=partner,
        stream=stream,
        happened_at__gt=happened_at,
    )
    return later.exists()


def referrer_of(person: Person | None) -> Referrer | None:
    """The referrer with this code, entered if unknown; None for a person without a code."""
    if person is None or not person.identifier:
        return None
    details = {
        "family_name": (person.family or person.identifier)[:64],
        "given_name": person.given[:64],
        "title": person.prefix[:32],
    }
    row, _created = Referrer.objects.get_or_create(code=person.identifier[:32], defaults=details)
    return row


def _note_of_reuse(message: Message) -> str:
    """Senders that start counting afresh are told apart from repeats, and shown."""
    earlier = Message.objects.filter(
        direction=Message.Direction.IN,
        partner=message.partner,
        control_id=message.control_id,
        pk__lt=message.pk,
    )
    return _("The control ID was used before for other content.") if earlier.exists() else ""


def _about(message: Message) -> dict[str, str]:
    return {"type": message.message_type, "control_id": message.control_id[:64]}
