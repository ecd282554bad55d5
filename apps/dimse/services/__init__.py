"""Calling devices, and what this door writes down about those that call."""

from apps.dimse.services.calling import CalledDeviceFailed, DeviceWithoutAddress, calling
from apps.dimse.services.commitment import (
    COMPLETE,
    FAILURES_EXIST,
    TransactionUidInUse,
    ask_for_commitment,
    claim_for_asker,
    forget_told,
    note_asker_gone,
    note_not_told,
    note_told,
    reason_text,
    report_again,
    report_data_set,
    report_event,
    tell_request,
    verify_request,
)
from apps.dimse.services.devices import EchoResult, echo, note_seen
from apps.dimse.services.fetching import (
    NotFailed,
    request_retrieval,
    retry_retrieval,
    run_retrieval,
)
from apps.dimse.services.inquiry import (
    CannotCommit,
    TransactionUnknown,
    ask_commitment,
    committed_elsewhere,
    send_inquiry,
    take_report,
)
from apps.dimse.services.noting import note_rejection, note_worklist_query
from apps.dimse.services.remote import Wanted, find_remote_series, find_remote_studies

__all__ = [
    "COMPLETE",
    "FAILURES_EXIST",
    "CalledDeviceFailed",
    "CannotCommit",
    "DeviceWithoutAddress",
    "EchoResult",
    "NotFailed",
    "TransactionUidInUse",
    "TransactionUnknown",
    "Wanted",
    "ask_commitment",
    "ask_for_commitment",
    "calling",
    "claim_for_asker",
    "committed_elsewhere",
    "echo",
    "find_remote_series",
    "find_remote_studies",
    "forget_told",
    "note_asker_gone",
    "note_not_told",
    "note_rejection",
    "note_seen",
    "note_told",
    "note_worklist_query",
    "reason_text",
    "report_again",
    "report_data_set",
    "report_event",
    "request_retrieval",
    "retry_retrieval",
    "run_retrieval",
    "send_inquiry",
    "take_report",
    "tell_request",
    "verify_request",
]
