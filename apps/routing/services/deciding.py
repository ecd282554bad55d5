"""What a person decides about a transfer: again, elsewhere, or not at all."""

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.routing.models import Transfer
from apps.routing.services.queueing import SendingRefused, record_transfer, ring
from apps.worklist.models import Device


def send_again(transfer: Transfer, *, origin: Origin) -> Transfer:
    """Put a transfer back into the queue, to be tried at once.

    One that was given up or dropped goes on with what has not arrived; one that arrived
    whole is sent whole again. Raises SendingRefused while it is being sent.
    """
    with transaction.atomic():
        row = _free(transfer)
        whole = row.status == Transfer.Status.SENT
        (row.items.all() if whole else row.items.filter(arrived=False)).delete()
        _requeue(row)
        record_transfer(Kind.TRANSFER_REQUEUED, row, origin=origin, details={})
    return row


def change_destination(transfer: Transfer, *, destination: Device, origin: Origin) -> Transfer:
    """Send a transfer that has not arrived to another device, all of it.

    Raises SendingRefused.
    """
    with transaction.atomic():
        row = _free(transfer)
        before = row.destination.ae_title
        _check_destination(row, destination)
        row.items.all().delete()
        row.destination, row.key = destination, uuid.uuid4()
        _requeue(row)
        record_transfer(Kind.TRANSFER_REQUEUED, row, origin=origin, details={"instead_of": before})
    return row


def drop(transfer: Transfer, *, reason: str, origin: Origin) -> Transfer:
    """Take a transfer that has not arrived out of the queue, saying why.

    Raises SendingRefused. `reason` is kept on the transfer, not in the journal: it is free
    text, and may name somebody.
    """
    with transaction.atomic():
        row = Transfer.objects.select_for_update().get(pk=transfer.pk)
        if row.status in (Transfer.Status.SENT, Transfer.Status.DROPPED):
            raise SendingRefused(_("Only what has not arrived can be dropped."))
        if not reason.strip():
            raise SendingRefused(_("Say why the transfer is dropped."))
        row.status, row.drop_reason = Transfer.Status.DROPPED, reason.strip()[:200]
        row.lease_until = row.next_attempt_at = None
        row.unreached, row.finished_at = False, timezone.now()
        row.token += 1  # a worker that is sending it has lost it
        row.save()
        record_transfer(Kind.TRANSFER_DROPPED, row, origin=origin, details={})
    return row


def _free(transfer: Transfer) -> Transfer:
    row = Transfer.objects.select_for_update().get(pk=transfer.pk)
    if row.status == Transfer.Status.SENDING:
        raise SendingRefused(_("It is being sent just now."))
    return row


def _check_destination(row: Transfer, destination: Device) -> None:
    if row.status == Transfer.Status.SENT:
        raise SendingRefused(_("This has arrived already: send the study from its page."))
    images = row.content == Transfer.Content.IMAGES
    may = destination.may_receive if images else destination.wants_availability
    if not (destination.active and may):
        raise SendingRefused(_("This device may not be sent images."))
    same = Transfer.objects.filter(destination=destination, event=row.event, content=row.content)
    if row.event_id and same.exclude(pk=row.pk).exists():
        raise SendingRefused(_("This device is sent the same already."))


def _requeue(row: Transfer) -> None:
    row.status, row.attempts, row.cuts = Transfer.Status.WAITING, 0, 0
    row.next_attempt_at, row.finished_at = timezone.now(), None
    row.unreached, row.drop_reason, row.last_error = False, "", ""
    row.token += 1
    row.sent_count = row.items.filter(arrived=True).count()
    row.failed_count = 0
    row.save()
    ring()
