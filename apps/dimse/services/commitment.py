"""Storage commitment, push model (PS3.4 J.3), as the one who is asked.

A request is a row before it is acknowledged. It is verified by reading every byte, then told:
on the association that asked where that is still open, else on one of ours, for three days.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pynetdicom import build_role

from apps.audit.models import Kind
from apps.audit.retrying import claim, renewing
from apps.audit.services import Origin, record
from apps.dimse.models import CommitmentRequest
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE
from apps.dimse.services.attempts import LEASE, finish, try_later
from apps.dimse.services.calling import CalledDeviceFailed, calling, expect_success
from apps.studies.models import Instance, Study
from apps.studies.services import Kept, is_unaltered, kept_instances
from apps.studies.storage import StorageAwayError
from apps.worklist.models import Device

# Failure Reason, PS3.3 C.14-1.
PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
REASONS = {
    PROCESSING_FAILURE: _("damaged, or not to be read"),
    NO_SUCH_INSTANCE: _("not known"),
    CLASS_CONFLICT: _("of another SOP class"),
    0x0122: _("of a SOP class that is not kept"),
    0x0131: _("the Transaction UID is in use"),
    0x0213: _("no room left"),
}
COMPLETE, FAILURES_EXIST = 1, 2  # event types, PS3.4 J.3.3.1
# How long the association that asked may take to tell, before one of ours does.
ASKER_FIRST = timedelta(seconds=5)
GIVE_UP = timedelta(days=3)
FORGET = timedelta(days=30)
NAMED_IN_JOURNAL = 100

Status = CommitmentRequest.Status


class TransactionUidInUse(Exception):
    """A Transaction UID stands for one request only (PS3.4 J.3.2.1.1)."""

    message = _("The Transaction UID was used for other instances already.")

    def __init__(self, uid: str) -> None:
        super().__init__(f"{self.message} ({uid})")


def ask_for_commitment(
    device: Device,
    transaction_uid: str,
    references: Sequence[tuple[str, str]],
    *,
    origin: Origin,
) -> CommitmentRequest:
    """Keep a request; when this returns it survives. The same request again is told again.

    `references`: SOP class and SOP instance UIDs. Raises TransactionUidInUse.
    """
    wanted = [list(one) for one in dict.fromkeys(references)]
    with transaction.atomic():
        row, created = _row_of(device, transaction_uid, wanted, origin)
        if created:
            return row
        if sorted(row.references) != sorted(wanted):
            raise TransactionUidInUse(transaction_uid)
        return _begin_again(row, asker_connected=True)


def report_again(row: CommitmentRequest) -> CommitmentRequest:
    """Verify a request once more, and tell the device on an association of ours."""
    with transaction.atomic():
        row = CommitmentRequest.objects.select_for_update().get(pk=row.pk)
        return _begin_again(row, asker_connected=False)


def verify_request(row: CommitmentRequest) -> CommitmentRequest:
    """Read every byte that was asked for; journalled for each study concerned."""
    if row.status != Status.ASKED or not claim(row, lease=LEASE):
        return row

    renew = renewing(row, lease=LEASE)

    def check(instance: Instance) -> bool:
        renew()
        return is_unaltered(instance)

    try:
        kept = kept_instances([uid for _class, uid in row.references], check=check)
    except StorageAwayError as error:
        try_later(row, str(error))  # to be away is not to be damaged
        return row
    row.failures = [
        [sop_class, uid, reason]
        for sop_class, uid in row.references
        if (reason := _why_unsafe(kept.get(uid), sop_class))
    ]
    with transaction.atomic():
        locked = CommitmentRequest.objects.select_for_update().get(pk=row.pk)
        if (locked.status, locked.attempts) != (row.status, row.attempts):
            return locked  # asked again meanwhile, or taken by another worker
        row.asker_connected = locked.asker_connected
        _note_verified(row)
        _record_verdict(row, kept)
    return row


def tell_request(row: CommitmentRequest) -> bool:
    """Report a verified request on an association of ours; again later where that fails.

    False where the device was called and did not take it.
    """
    if row.status != Status.VERIFIED or not claim(row, lease=LEASE):
        return True
    CommitmentRequest.objects.filter(pk=row.pk).update(asker_connected=False)
    try:
        send_report(row)
    except CalledDeviceFailed as error:
        note_not_told(row, str(error))
        return False
    note_told(row)
    return True


def claim_for_asker(pk: int) -> CommitmentRequest | None:
    """A verified request, to be told on the association that asked; None while there is none."""
    row = (
        CommitmentRequest.objects.filter(pk=pk, status=Status.VERIFIED, asker_connected=True)
        .select_related("device")
        .first()
    )
    return row if row is not None and claim(row, lease=LEASE, early=True) else None


def note_told(row: CommitmentRequest) -> None:
    """The device has taken the report."""
    told = {"status": Status.TOLD, "told_at": timezone.now()}
    finish(row, **told, next_attempt_at=None, asker_connected=False, error="")


def note_not_told(row: CommitmentRequest, error: str, *, at_once: bool = False) -> None:
    """The device has not taken the report: later, or given up after three days."""
    if timezone.now() - row.asked_at > GIVE_UP:
        finish(row, status=Status.FAILED, error=error[:200], next_attempt_at=None)
    elif at_once:
        finish(row, error=error[:200], next_attempt_at=timezone.now(), asker_connected=False)
    else:
        try_later(row, error, asker_connected=False)


def note_asker_gone(pks: Sequence[int]) -> None:
    """The association that asked has ended: what is verified is told on one of ours now."""
    rows = CommitmentRequest.objects.filter(pk__in=pks, asker_connected=True)
    with transaction.atomic():
        rows.filter(status=Status.VERIFIED).update(next_attempt_at=timezone.now())
        rows.update(asker_connected=False)


def forget_told() -> int:
    """Drop what was told long ago; the journal keeps the verdicts. Returns how many."""
    old = timezone.now() - FORGET
    rows = CommitmentRequest.objects.filter(status__in=[Status.TOLD, Status.FAILED])
    count, _by_model = rows.filter(asked_at__lt=old).delete()
    return count


def reason_text(reason: int | None) -> str:
    """A Failure Reason (0008,1197) in words."""
    if reason is None:
        return gettext("no reason given")
    return f"{REASONS.get(reason, '')} (0x{reason:04X})".strip()


def report_event(row: CommitmentRequest) -> int:
    return FAILURES_EXIST if row.failures else COMPLETE


def report_data_set(row: CommitmentRequest) -> Dataset:
    """The N-EVENT-REPORT of a storage commitment (PS3.4 table J.3-2)."""
    report = Dataset()
    report.TransactionUID = row.transaction_uid
    if row.committed:
        report.ReferencedSOPSequence = DicomSequence(
            [referenced(sop_class, uid) for sop_class, uid in row.committed]
        )
    if row.failures:
        report.FailedSOPSequence = DicomSequence([_failed(*one) for one in row.failures])
    return report


def referenced(sop_class: str, instance: str) -> Dataset:
    """An item of the Referenced SOP Sequence (0008,1199)."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = instance
    return item


def send_report(row: CommitmentRequest) -> None:
    """N-EVENT-REPORT on an association of ours; raises CalledDeviceFailed."""
    # We are the SCP of this service also where we call (PS3.4 J.3.3, PS3.7 D.3.3.4).
    role = build_role(COMMITMENT, scu_role=False, scp_role=True)
    with calling(row.device, COMMITMENT, roles=[role]) as association:
        answer, _reply = association.send_n_event_report(
            report_data_set(row), report_event(row), COMMITMENT, COMMITMENT_INSTANCE
        )
        expect_success(answer)


def _failed(sop_class: str, instance: str, reason: int) -> Dataset:
    item = referenced(sop_class, instance)
    item.FailureReason = reason
    return item


def _row_of(
    device: Device, transaction_uid: str, references: list[list[str]], origin: Origin
) -> tuple[CommitmentRequest, bool]:
    fresh = {
        "references": references,
        "address": origin.address[:64],
        "asker_connected": True,
        "next_attempt_at": timezone.now(),
    }
    rows = CommitmentRequest.objects.select_for_update()
    return rows.get_or_create(device=device, transaction_uid=transaction_uid, defaults=fresh)


def _begin_again(row: CommitmentRequest, *, asker_connected: bool) -> CommitmentRequest:
    row.status, row.error, row.asker_connected = Status.ASKED, "", asker_connected
    row.asked_at = row.next_attempt_at = timezone.now()
    row.attempts += 1  # whoever is still at the old one has lost it
    row.save()
    return row


def _note_verified(row: CommitmentRequest) -> None:
    now = timezone.now()
    # The count of attempts goes on: it is the token of whoever works on the row.
    row.status, row.verified_at, row.error = Status.VERIFIED, now, ""
    row.next_attempt_at = now + ASKER_FIRST if row.asker_connected else now
    row.save()


def _why_unsafe(kept: Kept | None, sop_class: str) -> int:
    """The Failure Reason (0008,1197) of an instance; 0 for one that is safe."""
    if kept is None:
        return NO_SUCH_INSTANCE
    if kept.sop_class_uid != sop_class:
        return CLASS_CONFLICT
    return 0 if kept.whole else PROCESSING_FAILURE


def _record_verdict(row: CommitmentRequest, kept: dict[str, Kept]) -> None:
    """One journal row for each study; instances that nobody knows share one without."""

    def study_of(instance: str) -> str:
        return kept[instance].study_instance_uid if instance in kept else ""

    safe = Counter(study_of(instance) for _class, instance in row.committed)
    unsafe: dict[str, list[str]] = {}
    for _class, instance, _reason in row.failures:
        unsafe.setdefault(study_of(instance), []).append(instance)
    uids = list(dict.fromkeys([*safe, *unsafe]))
    rows = Study.objects.filter(study_instance_uid__in=uids).prefetch_related("procedures__order")
    studies = {study.study_instance_uid: study for study in rows}
    origin = Origin(protocol="dimse", peer=row.device.ae_title, address=row.address)
    damaged = {uid for _class, uid, reason in row.failures if reason == PROCESSING_FAILURE}
    for uid in uids:
        failed = unsafe.get(uid, [])
        verdict = {
            "transaction": row.transaction_uid,
            "committed": safe[uid],
            "failed": failed[:NAMED_IN_JOURNAL],
        }
        _record(Kind.STORAGE_COMMITTED, uid, studies.get(uid), origin, verdict)
        lost = [one for one in failed if one in damaged]
        if lost:
            details = {"instances": lost[:NAMED_IN_JOURNAL], "count": len(lost)}
            _record(Kind.FILE_DAMAGED, uid, studies.get(uid), origin, details)


def _record(
    kind: Kind, uid: str, study: Study | None, origin: Origin, details: dict[str, object]
) -> None:
    record(
        kind,
        study,
        origin=origin,
        patient_id=study.patient_id if study else None,
        accession_number=_accession_of(study) if study else "",
        study_instance_uid=uid,
        details=details,
    )


def _accession_of(study: Study) -> str:
    """That of its order; the header may say another, or none."""
    orders = [procedure.order for procedure in study.procedures.all()]
    return orders[0].accession_number if orders else study.accession_number
