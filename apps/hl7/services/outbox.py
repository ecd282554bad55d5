"""Messages that go out: queued with what they tell of, tried until they arrive or not."""

import datetime
import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import retrying
from apps.audit import services as audit
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.hl7.models import Message, Partner
from apps.hl7.outbound import build_result
from apps.reports.models import ReportVersion

ATTEMPTS = 10
# Longer than any attempt can take: after that the worker that had the message is dead.
LEASE = datetime.timedelta(minutes=2)
RESULT = "ORU^R01"


class ResendRefused(ValueError):
    """The message cannot be sent again; the text may be shown to a person."""


def queue_results(event: Event) -> None:
    """Queue what a signed version tells every partner that receives results.

    Events may be delivered out of order: versions signed before are queued first, so that
    the rows of one report stand in the order in which it was signed. Safe to run twice.
    """
    signed = ReportVersion.objects.filter(pk=event.subject_id).first()
    if signed is None:
        return
    versions = signed.report.versions.filter(number__lte=signed.number)
    by_key = {str(version.pk): version for version in versions}
    events = Event.objects.filter(
        kind=event.kind, subject_type=event.subject_type, subject_id__in=by_key
    )
    for partner in Partner.objects.receiving_results():
        for one in events.order_by("id"):
            queue_result(by_key[one.subject_id], event=one, partner=partner)


def queue_result(version: ReportVersion, *, event: Event, partner: Partner) -> Message | None:
    """Put the result for one partner into the queue; None where it is there already."""
    if Message.objects.filter(event=event, partner=partner, message_type=RESULT).exists():
        return None
    control_id = uuid.uuid4().hex[:20].upper()
    raw = build_result(version, partner=partner, control_id=control_id)
    message, created = Message.objects.get_or_create(
        event=event,
        partner=partner,
        message_type=RESULT,
        defaults={
            "direction": Message.Direction.OUT,
            "status": Message.Status.WAITING,
            "control_id": control_id,
            "stream": f"report:{version.report_id}",
            "raw": raw,
            "next_attempt_at": timezone.now(),
        },
    )
    return message if created else None


def claim(message: Message) -> bool:
    """Take a due message for one attempt; False where another worker was faster."""
    return retrying.claim(message, lease=LEASE)


def note_sent(claimed: Message, *, acknowledgement: bytes) -> bool:
    """The partner has it (AA or CA). False where the claim was lost meanwhile."""
    with transaction.atomic():
        row = _held(claimed)
        if row is None:
            return False
        row.status = Message.Status.SENT
        row.acknowledgement = acknowledgement
        row.next_attempt_at, row.error = None, ""
        row.save()
        _record(Kind.MESSAGE_SENT, row)
    return True


def note_not_sent(
    claimed: Message, *, reason: str, acknowledgement: bytes | None = None, for_good: bool = False
) -> bool:
    """The attempt failed: try again later, or give up. False where the claim was lost.

    `for_good`: the partner said that it will never take it (AR, CR).
    """
    with transaction.atomic():
        row = _held(claimed)
        if row is None:
            return False
        row.error = reason[:200]
        row.acknowledgement = acknowledgement
        if for_good or row.attempts >= ATTEMPTS:
            row.status, row.next_attempt_at = Message.Status.DEAD, None
            _record(Kind.MESSAGE_FAILED, row)
        else:
            row.next_attempt_at = timezone.now() + retrying.wait_after(row.attempts)
        row.save()
    return True


def resend(message: Message, *, origin: Origin) -> Message:
    """Put a message that was given up back into the queue.

    Raises ResendRefused where it was not given up, or where the partner has something
    newer about the same thing: a correction is not undone by what it corrected.
    """
    with transaction.atomic():
        row = Message.objects.select_for_update().get(pk=message.pk)
        if row.status != Message.Status.DEAD:
            raise ResendRefused(_("Only messages that were given up can be sent again."))
        if Message.objects.newer_than(row).filter(status=Message.Status.SENT).exists():
            raise ResendRefused(_("The partner has a newer version of this already."))
        row.status, row.attempts = Message.Status.WAITING, 0
        row.next_attempt_at = timezone.now()
        row.save()
        _record(Kind.MESSAGE_REQUEUED, row, origin=origin)
    return row


def _held(claimed: Message) -> Message | None:
    """The row as it is now, for the caller's transaction; None where the claim was lost."""
    return retrying.mine(claimed).select_for_update().first()


def _record(kind: Kind, row: Message, *, origin: Origin | None = None) -> None:
    partner = row.partner
    told = row.event
    audit.record(
        kind,
        row,
        origin=origin or Origin(protocol="hl7", peer=partner.name if partner else ""),
        patient_id=told.patient_id if told else None,
        accession_number=told.accession_number if told else "",
        study_instance_uid=told.study_instance_uid if told else "",
        details={"type": row.message_type, "control_id": row.control_id, "tries": row.attempts},
    )
