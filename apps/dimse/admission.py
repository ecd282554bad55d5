"""Who may come in: a known device, from its address, over TLS and with a name where it has to.

Each cause has its own reason in the A-ASSOCIATE-RJ (PS3.8 table 9-21).
"""

import ipaddress
import socket
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db import connection

from apps.dimse import negotiation, offers
from apps.dimse.identity import is_identified
from apps.dimse.negotiation import Rejection
from apps.dimse.proposals import Proposal
from apps.dimse.tls import is_pinned
from apps.studies.room import Room, disk_room
from apps.studies.services.statements import Statement, certain, compiled, marker
from apps.worklist.models import Device


@dataclass(frozen=True)
class Caller:
    """The other end of a connection; `certificate` (DER) is what it showed over TLS."""

    address: str
    encrypted: bool = False
    certificate: bytes | None = None


def find_device(proposal: Proposal, caller: Caller) -> Device | Rejection:
    """The device that calls, or why it may not."""
    if rejection := _misaddressed(proposal):
        return rejection
    device = _named(proposal.calling)
    if device is None:
        return negotiation.CALLING_AE_UNKNOWN
    return _unproven(device, proposal, caller) or _no_room(proposal) or device


def _named(title: str) -> Device | None:
    """A device that may connect. Asked at every association: its SQL is made once."""
    for row in _by_title().rows((title,)):
        return Device.from_db(connection.alias, _COLUMNS, row)
    return None


_COLUMNS = [field.attname for field in Device._meta.concrete_fields]


@cache
def _by_title() -> Statement:
    rows = Device.objects.allowed().filter(ae_title=marker(0)).order_by()
    return certain(compiled(rows.values_list(*_COLUMNS)[:1], 1))


def _misaddressed(proposal: Proposal) -> Rejection | None:
    if proposal.protocol_version & negotiation.PROTOCOL_VERSION == 0:
        return negotiation.PROTOCOL_UNKNOWN
    if proposal.application_context != negotiation.APPLICATION_CONTEXT:
        return negotiation.CONTEXT_NAME_UNKNOWN
    if proposal.called != settings.OPENPACS_AE_TITLE:
        return negotiation.CALLED_AE_UNKNOWN
    return None


def _unproven(device: Device, proposal: Proposal, caller: Caller) -> Rejection | None:
    """Is it the device that it says it is?"""
    if device.check_address and not _is_at(device.host, caller.address):
        return negotiation.ADDRESS_UNKNOWN
    if device.require_tls and not caller.encrypted:
        return negotiation.NOT_ENCRYPTED
    if not is_pinned(device, caller.certificate):
        return negotiation.CERTIFICATE_UNKNOWN
    if not is_identified(device, proposal.identity):
        return negotiation.USER_UNKNOWN
    return None


def _no_room(proposal: Proposal) -> Rejection | None:
    """Nobody begins to send images that would not fit; queries go on."""
    full = offers.brings_images(proposal) and disk_room() is Room.HARD
    return negotiation.DISK_FULL if full else None


def _is_at(host: str, address: str) -> bool:
    try:
        known = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    called = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(called, "ipv4_mapped", None)
    return str(mapped or called) in known
