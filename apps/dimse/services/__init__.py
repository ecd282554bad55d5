"""Calling devices, and what this door writes down about those that call."""

from apps.dimse.services.calling import CalledDeviceFailed, DeviceWithoutAddress, calling
from apps.dimse.services.commitment import (
    commit_storage,
    report_data_set,
    report_event,
    send_commitment,
)
from apps.dimse.services.devices import EchoResult, echo, note_seen
from apps.dimse.services.noting import Throttle, note_rejection, note_worklist_query

__all__ = [
    "CalledDeviceFailed",
    "DeviceWithoutAddress",
    "EchoResult",
    "Throttle",
    "calling",
    "commit_storage",
    "echo",
    "note_rejection",
    "note_seen",
    "note_worklist_query",
    "report_data_set",
    "report_event",
    "send_commitment",
]
