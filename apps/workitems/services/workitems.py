"""Workitems made and changed (PS3.4 CC.2.5 and CC.2.6)."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.dates import format_datetime
from apps.dicom.json import JsonDataset
from apps.dicom.uids import new_uid
from apps.workitems.attributes import (
    MODIFIED,
    SOP_CLASS,
    SOP_INSTANCE,
    STATE,
    TRANSACTION,
    WORKLIST_LABEL,
    element,
    faults_of_change,
    faults_of_new,
    text_of,
    values_of,
    with_empty,
)
from apps.workitems.columns import fill_columns, fill_keys
from apps.workitems.models import PUSH_SOP_CLASS, Workitem
from apps.workitems.services.events import tell_assigned, tell_changes, tell_state
from apps.workitems.services.refusals import (
    TransactionMissing,
    TransactionWrong,
    WorkitemExists,
    WorkitemFinal,
    WorkitemInvalid,
    WorkitemOfExam,
    WorkitemUnclaimed,
)
from apps.workitems.services.subscriptions import subscribe_by_filter

LABEL = "GENERAL"  # of the worklist for workitems that name none


@dataclass(frozen=True)
class Created:
    """A new workitem, and whether it is other than what was sent."""

    workitem: Workitem
    modified: bool


def create_workitem(attributes: JsonDataset, *, uid: str = "", origin: Origin) -> Created:
    """Put a workitem on the worklist, SCHEDULED. `uid` empty: that of the data set, or a new one.

    What is left out of type 2 is added empty. Raises WorkitemInvalid, WorkitemExists.
    """
    named = text_of(attributes, SOP_INSTANCE)
    faults = faults_of_new(attributes)
    if uid and named and uid != named:
        faults.append("SOPInstanceUID is another one than in the address")
    if text_of(attributes, SOP_CLASS) not in ("", PUSH_SOP_CLASS):
        faults.append("SOPClassUID is not that of a work item")
    if faults:
        raise WorkitemInvalid(faults)
    said = with_empty(attributes)
    if not values_of(said, WORKLIST_LABEL):
        said[WORKLIST_LABEL] = element(WORKLIST_LABEL, LABEL)
    changed = said.keys() != attributes.keys() or not values_of(attributes, WORKLIST_LABEL)
    workitem = Workitem(sop_instance_uid=uid or named or new_uid())
    try:
        with transaction.atomic():
            _require_new(workitem)
            add(workitem, said)
            record_workitem(Kind.WORKITEM_CREATED, workitem, origin=origin)
    except IntegrityError:
        _require_new(workitem)  # somebody was faster
        raise
    return Created(workitem, modified=changed or not (uid or named))


def change_workitem(
    workitem: Workitem, changes: JsonDataset, *, transaction_uid: str = "", origin: Origin
) -> Workitem:
    """Lay attributes over those of a workitem; sequences are replaced as a whole.

    Raises WorkitemInvalid, WorkitemFinal, WorkitemOfExam, and, by PS3.18 11.6.3:
    WorkitemUnclaimed, TransactionMissing, TransactionWrong.
    """
    with transaction.atomic():
        workitem = locked(workitem)
        if workitem.is_final:
            raise WorkitemFinal
        if workitem.state == Workitem.State.SCHEDULED and transaction_uid:
            raise WorkitemUnclaimed
        if workitem.state == Workitem.State.IN_PROGRESS:
            require_transaction(workitem, transaction_uid)
        if faults := faults_of_change(changes):
            raise WorkitemInvalid(faults)
        before = workitem.attributes
        save(workitem, before | {tag: changes[tag] for tag in changes if tag != TRANSACTION})
        tell_changes(workitem, before)
        record_workitem(
            Kind.WORKITEM_CHANGED, workitem, origin=origin, details={"tags": sorted(changes)}
        )
    return workitem


def locked(workitem: Workitem) -> Workitem:
    """The workitem as it is now, held until the end of the transaction; not one of an exam."""
    workitem = Workitem.objects.select_for_update().get(pk=workitem.pk)
    if workitem.step_id is not None:
        raise WorkitemOfExam
    return workitem


def require_transaction(workitem: Workitem, uid: str) -> None:
    """Raise unless `uid` is the one with which the workitem was claimed."""
    if not uid:
        raise TransactionMissing
    if not hmac.compare_digest(digest_of(uid), workitem.transaction_digest):
        raise TransactionWrong


def digest_of(transaction_uid: str) -> str:
    return hashlib.sha256(transaction_uid.encode()).hexdigest()


def add(workitem: Workitem, attributes: JsonDataset) -> None:
    """Write a new row and tell it, in the caller's transaction."""
    save(workitem, attributes)
    subscribe_by_filter(workitem)
    tell_state(workitem)
    tell_assigned(workitem)


def save(workitem: Workitem, attributes: JsonDataset) -> None:
    """Write the row with these attributes and everything it is found by."""
    fresh = workitem.pk is None
    now = timezone.now()
    workitem.attributes = dict(
        sorted(
            {
                **{tag: one for tag, one in attributes.items() if tag != TRANSACTION},
                SOP_CLASS: element(SOP_CLASS, PUSH_SOP_CLASS),
                SOP_INSTANCE: element(SOP_INSTANCE, workitem.sop_instance_uid),
                STATE: element(STATE, workitem.state),
                MODIFIED: element(MODIFIED, format_datetime(timezone.localtime(now))),
            }.items()
        )
    )
    fill_columns(workitem)
    workitem.changed_at = now
    workitem.revision += 0 if fresh else 1
    workitem.save()
    fill_keys(workitem)
    if not fresh:
        subscribe_by_filter(workitem)


def _require_new(workitem: Workitem) -> None:
    if Workitem.objects.filter(sop_instance_uid=workitem.sop_instance_uid).exists():
        raise WorkitemExists


def record_workitem(
    kind: Kind, workitem: Workitem, *, origin: Origin, details: dict[str, Any] | None = None
) -> None:
    """One journal row about a workitem."""
    record(
        kind,
        workitem,
        origin=origin,
        patient_id=workitem.patient_id,
        study_instance_uid=workitem.study_instance_uid,
        details={"workitem": workitem.sop_instance_uid, **(details or {})},
    )
