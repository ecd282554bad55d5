"""Storage commitment, push model (PS3.4 J.3): which objects are safe here."""

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pynetdicom import build_role

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dimse.association import Commitment
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE
from apps.dimse.services.calling import calling, expect_success
from apps.studies.models import Study
from apps.studies.services import Kept, kept_instances
from apps.worklist.models import Device

# Failure Reason, PS3.3 C.14-1.
PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
COMPLETE, FAILURES_EXIST = 1, 2  # event types, PS3.4 J.3.3.1


def commit_storage(
    transaction_uid: str, references: Sequence[tuple[str, str]], *, origin: Origin
) -> Commitment:
    """Which of these instances are safe here? Journalled for each study concerned.

    `references`: SOP class and SOP instance UIDs.
    """
    kept = kept_instances([instance for _class, instance in references])
    committed: list[tuple[str, str]] = []
    failed: list[tuple[str, str, int]] = []
    for sop_class, instance in references:
        reason = _why_unsafe(kept.get(instance), sop_class)
        if reason:
            failed.append((sop_class, instance, reason))
        else:
            committed.append((sop_class, instance))
    commitment = Commitment(transaction_uid, committed, failed)
    with transaction.atomic():
        _record_commitment(commitment, kept, origin)
    return commitment


def _why_unsafe(kept: Kept | None, sop_class: str) -> int:
    """The Failure Reason (0008,1197) of an instance; 0 for one that is safe."""
    if kept is None:
        return NO_SUCH_INSTANCE
    if kept.sop_class_uid != sop_class:
        return CLASS_CONFLICT
    return 0 if kept.whole else PROCESSING_FAILURE


def _record_commitment(commitment: Commitment, kept: dict[str, Kept], origin: Origin) -> None:
    """One row for each study; instances that nobody knows share one without a study."""

    def study_of(instance: str) -> str:
        return kept[instance].study_instance_uid if instance in kept else ""

    safe = Counter(study_of(instance) for _class, instance in commitment.committed)
    unsafe: dict[str, list[str]] = {}
    for _class, instance, _reason in commitment.failed:
        unsafe.setdefault(study_of(instance), []).append(instance)
    uids = list(dict.fromkeys([*safe, *unsafe]))
    rows = Study.objects.filter(study_instance_uid__in=uids).prefetch_related("procedures__order")
    studies = {row.study_instance_uid: row for row in rows}
    for uid in uids:
        study = studies.get(uid)
        record(
            Kind.STORAGE_COMMITTED,
            study,
            origin=origin,
            patient_id=study.patient_id if study else None,
            accession_number=_accession_of(study) if study else "",
            study_instance_uid=uid,
            details={
                "transaction": commitment.transaction_uid,
                "committed": safe[uid],
                "failed": unsafe.get(uid, [])[:100],
            },
        )


def _accession_of(study: Study) -> str:
    """That of its order; the header may say another, or none."""
    orders = [procedure.order for procedure in study.procedures.all()]
    return orders[0].accession_number if orders else study.accession_number


def report_event(commitment: Commitment) -> int:
    return FAILURES_EXIST if commitment.failed else COMPLETE


def report_data_set(commitment: Commitment) -> Dataset:
    """The N-EVENT-REPORT of a storage commitment (PS3.4 table J.3-2)."""
    report = Dataset()
    report.TransactionUID = commitment.transaction_uid
    if commitment.committed:
        report.ReferencedSOPSequence = DicomSequence(
            [_referenced(sop_class, uid) for sop_class, uid in commitment.committed]
        )
    if commitment.failed:
        failed = []
        for sop_class, uid, reason in commitment.failed:
            item = _referenced(sop_class, uid)
            item.FailureReason = reason
            failed.append(item)
        report.FailedSOPSequence = DicomSequence(failed)
    return report


def send_commitment(device: Device, commitment: Commitment) -> None:
    """Report a storage commitment on an association of ours; raises CalledDeviceFailed."""
    # We are the SCP of this service also where we call (PS3.4 J.3.3, PS3.7 D.3.3.4).
    role = build_role(COMMITMENT, scu_role=False, scp_role=True)
    with calling(device, COMMITMENT, roles=[role]) as association:
        answer, _reply = association.send_n_event_report(
            report_data_set(commitment),
            report_event(commitment),
            COMMITMENT,
            COMMITMENT_INSTANCE,
        )
        expect_success(answer)


def _referenced(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = instance
    return item
