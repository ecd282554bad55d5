"""Testing whether a device answers, and when it called last."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dimse.offers import VERIFICATION
from apps.dimse.services.calling import CalledDeviceFailed, calling, expect_success
from apps.worklist.models import Device

SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class EchoResult:
    """`message` is for a person: what the device said, or where it failed."""

    success: bool
    message: str
    milliseconds: int


def echo(device: Device, *, origin: Origin) -> EchoResult:
    """Ask a device whether it is there (C-ECHO), and keep the answer on it."""
    started = time.monotonic()
    try:
        success, message = True, _echo(device)
    except CalledDeviceFailed as error:
        success, message = False, str(error)
    result = EchoResult(success, message, round((time.monotonic() - started) * 1000))
    with transaction.atomic():
        device.echoed_at = timezone.now()
        device.echo_result = result.message[:200]
        device.save(update_fields=["echoed_at", "echo_result"])
        details = {"success": success, "milliseconds": result.milliseconds}
        record(Kind.DEVICE_ECHOED, device, origin=origin, details=details)
    return result


def note_seen(device: Device) -> None:
    """Keep when a device called last, to the minute: one write a minute at most."""
    now = timezone.now()
    if device.last_seen_at is None or now - device.last_seen_at > SEEN_EVERY:
        Device.objects.filter(pk=device.pk).update(last_seen_at=now)
        device.last_seen_at = now


def _echo(device: Device) -> str:
    with calling(device, VERIFICATION) as association:
        expect_success(association.send_c_echo())
    return gettext("The device answered.")
