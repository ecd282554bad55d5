"""Calling devices, and what this door writes down about those that call."""

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role
from pynetdicom.association import Association as RequestingAssociation

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.keys import Key, Matching
from apps.dimse.association import Commitment
from apps.dimse.negotiation import Rejection
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE, VERIFICATION
from apps.studies.models import Study
from apps.studies.services import Kept, kept_instances
from apps.worklist.models import Device, ScheduledStep

logger = logging.getLogger(__name__)
SEEN_EVERY = timedelta(minutes=1)
CONNECT_SECONDS, ANSWER_SECONDS = 5, 10
# Failure Reason, PS3.3 C.14-1.
PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
COMPLETE, FAILURES_EXIST = 1, 2  # event types, PS3.4 J.3.3.1
REJECTIONS_PER_PEER_SECONDS, REJECTIONS_PER_HOUR = 60, 200
SAME_QUESTION_SECONDS = 600


class CalledDeviceFailed(Exception):
    """A device that we call does not answer as it should."""


class DeviceWithoutAddress(CalledDeviceFailed):
    """A device without a host cannot be called."""

    message = _("The device has no address: enter its host first.")

    def __init__(self) -> None:
        super().__init__(str(self.message))


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


class Throttle:
    """Lets a key pass once per `seconds`, and all keys together `per_hour` times an hour."""

    def __init__(self, *, seconds: float, per_hour: int, keys: int = 1024) -> None:
        self._seconds, self._per_hour, self._keys = seconds, per_hour, keys
        self._last: OrderedDict[Any, float] = OrderedDict()
        self._hour, self._count = 0.0, 0

    def passes(self, key: Any) -> bool:
        now = time.monotonic()
        if now - self._hour > 3600:
            self._hour, self._count = now, 0
        if now - self._last.get(key, -self._seconds) < self._seconds:
            return False
        if self._count >= self._per_hour:
            return False
        self._count += 1
        self._last[key] = now
        self._last.move_to_end(key)
        while len(self._last) > self._keys:
            self._last.popitem(last=False)
        return True


_rejections = Throttle(seconds=REJECTIONS_PER_PEER_SECONDS, per_hour=REJECTIONS_PER_HOUR)
_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def note_rejection(rejection: Rejection, *, calling: str, origin: Origin) -> None:
    """Journal a refused association; a stranger who keeps trying fills nothing."""
    if not _rejections.passes((origin.address, rejection.text)):
        return
    title = "".join(char if char.isprintable() else "?" for char in calling)[:16]
    details = {"calling": title, "reason": rejection.text}
    record(Kind.ASSOCIATION_REJECTED, None, origin=origin, details=details)


def note_worklist_query(
    device: Device, *, keys: Sequence[Key], steps: Sequence[ScheduledStep], origin: Origin
) -> None:
    """Journal who was shown on which device; the same answer again only now and then."""
    asked = sorted(key.name for key in keys if key.matching is not Matching.UNIVERSAL)
    shown = [step.identifier for step in steps]
    if _questions.passes((device.pk, tuple(asked), tuple(shown))):
        details = {"keys": asked, "steps": shown[:100], "count": len(shown)}
        record(Kind.WORKLIST_QUERIED, device, origin=origin, details=details)


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
        _expect_success(answer)


@contextmanager
def calling(
    device: Device, *sop_classes: str, roles: Sequence[Any] = ()
) -> Iterator[RequestingAssociation]:
    """An association of ours to a device, released at the end; raises CalledDeviceFailed."""
    if not device.host:
        raise DeviceWithoutAddress
    entity = AE(ae_title=settings.OPENPACS_AE_TITLE)
    entity.connection_timeout = CONNECT_SECONDS
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
    for sop_class in sop_classes:
        entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    association = entity.associate(
        device.host, device.port, ae_title=device.ae_title, ext_neg=list(roles)
    )
    if not association.is_established:
        raise CalledDeviceFailed(_why_not(association, device))
    try:
        yield association
    finally:
        association.release()


def _echo(device: Device) -> str:
    with calling(device, VERIFICATION) as association:
        _expect_success(association.send_c_echo())
    return gettext("The device answered.")


def _why_not(association: RequestingAssociation, device: Device) -> str:
    where = f"{device.host}:{device.port}"
    if association.is_rejected:
        return gettext("The device at %(where)s refuses our AE title or its own.") % {
            "where": where
        }
    if association.acceptor.primitive is not None:
        return gettext("The device at %(where)s does not offer this service.") % {"where": where}
    return gettext("Nothing answers at %(where)s.") % {"where": where}


def _expect_success(answer: Dataset) -> None:
    if "Status" not in answer:
        raise CalledDeviceFailed(gettext("The device did not answer in time."))
    if answer.Status != 0:
        raise CalledDeviceFailed(
            gettext("The device answered with status %(status)s.")
            % {"status": f"0x{answer.Status:04X}"}
        )


def _referenced(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = instance
    return item
