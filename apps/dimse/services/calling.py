"""Associations of ours to devices, for rare work that pynetdicom does well enough."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap
from ssl import SSLContext
from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association as RequestingAssociation
from pynetdicom.presentation import build_context

from apps.dimse.pausing import pause_surely
from apps.dimse.refusing import is_refused
from apps.dimse.tls import TLSSettingsError, client_context, is_pinned
from apps.worklist.models import Device

CONNECT_SECONDS, ANSWER_SECONDS = 5, 10


class CalledDeviceFailed(Exception):
    """A device that we call does not answer as it should."""


class DeviceWithoutAddress(CalledDeviceFailed):
    """A device without a host cannot be called."""

    message = _("The device has no address: enter its host first.")

    def __init__(self) -> None:
        super().__init__(str(self.message))


@contextmanager
def calling(
    device: Device,
    *sop_classes: str,
    roles: Sequence[Any] = (),
    contexts: Sequence[tuple[str, list[str]]] = (),
    handlers: Sequence[Any] = (),
    answer_seconds: float = ANSWER_SECONDS,
) -> Iterator[RequestingAssociation]:
    """An association of ours to a device, released at the end; raises CalledDeviceFailed.

    `contexts`: SOP classes with transfer syntaxes of their own, beside `sop_classes` in
    uncompressed ones. `handlers`: pynetdicom's, for what the device asks on the association.
    """
    if not device.host:
        raise DeviceWithoutAddress
    entity = AE(ae_title=settings.OPENPACS_AE_TITLE)
    entity.connection_timeout, entity.acse_timeout = CONNECT_SECONDS, ANSWER_SECONDS
    entity.dimse_timeout = entity.network_timeout = answer_seconds
    for sop_class in sop_classes:
        entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    # Not by the entity, which would put the syntaxes of a class into one context.
    proposed = [*entity.requested_contexts, *starmap(build_context, contexts)]
    try:
        association = entity.associate(
            device.host,
            device.port,
            contexts=proposed,
            ae_title=device.ae_title,
            ext_neg=list(roles),
            evt_handlers=list(handlers),
            tls_args=_tls_of(device),
        )
    except (OSError, UnicodeError):  # of getaddrinfo
        raise CalledDeviceFailed(gettext("There is no host %s.") % device.host) from None
    if not association.is_established:
        raise CalledDeviceFailed(_why_not(association, device))
    pause_surely(association)
    try:
        _check_certificate(association, device)
        yield association
    finally:
        association.release()


def _tls_of(device: Device) -> tuple[SSLContext, str] | None:
    try:
        return (client_context(), device.host) if device.tls else None
    except TLSSettingsError as error:
        raise CalledDeviceFailed(str(error)) from None


def _check_certificate(association: RequestingAssociation, device: Device) -> None:
    if not device.tls:
        return
    connection: Any = association.dul.socket
    if not is_pinned(device, connection.socket.getpeercert(binary_form=True)):
        association.abort()
        raise CalledDeviceFailed(gettext("The device shows another certificate than its own."))


def expect_success(answer: Dataset) -> None:
    if "Status" not in answer:
        raise CalledDeviceFailed(gettext("The device did not answer in time."))
    if answer.Status != 0:
        raise CalledDeviceFailed(
            gettext("The device answered with status %(status)s.")
            % {"status": f"0x{answer.Status:04X}"}
        )


def _why_not(association: RequestingAssociation, device: Device) -> str:
    where = f"{device.host}:{device.port}"
    if is_refused(association):
        return gettext("The device at %(where)s refuses our AE title or its own.") % {
            "where": where
        }
    if association.acceptor.primitive is not None:
        return gettext("The device at %(where)s does not offer this service.") % {"where": where}
    return gettext("Nothing answers at %(where)s.") % {"where": where}
