"""Storage commitment as the one who asks: is what we sent safe there?

Asked before anything of ours may be purged. The report comes on the association that asked,
or on one that the device opens to our listener.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from threading import Event as Signal
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pynetdicom import evt

from apps.audit.models import Kind
from apps.audit.retrying import claim
from apps.audit.services import SYSTEM, Origin, record
from apps.dicom.uids import new_uid
from apps.dimse.models import CommitmentInquiry, CommittedInstance
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE
from apps.dimse.services.attempts import LEASE, finish, try_later
from apps.dimse.services.calling import CalledDeviceFailed, calling, expect_success
from apps.dimse.services.commitment import referenced
from apps.studies.models import Instance, Study
from apps.worklist.models import Device

REQUEST = 1  # action type, PS3.4 J.3.2.1
AT_ONCE = 1000  # instances of one request
REPORT_SECONDS = 5  # how long the association stays open for the report
REPORT_WITHIN = timedelta(days=1)  # then we ask again
GIVE_UP = timedelta(days=3)

Status, Outcome = CommitmentInquiry.Status, CommittedInstance.Outcome


class CannotCommit(Exception):
    """The device does not answer storage commitment requests, its profile says."""

    message = _("This device does not confirm storage.")

    def __init__(self) -> None:
        super().__init__(str(self.message))


class TransactionUnknown(Exception):
    """A report about something that we did not ask this device."""

    message = _("No request of ours to this device has the Transaction UID.")

    def __init__(self, uid: str) -> None:
        super().__init__(f"{self.message} ({uid})")


def ask_commitment(
    device: Device, instances: Iterable[Instance], *, origin: Origin
) -> list[CommitmentInquiry]:
    """Queue the question whether these instances are safe on a device; raises CannotCommit."""
    if not device.may_commit:
        raise CannotCommit
    with transaction.atomic():
        return [_inquiry(device, some, origin) for some in _batches(instances, AT_ONCE)]


def committed_elsewhere(study: Study) -> bool:
    """Has a device confirmed every instance of a study, as it is stored here now?

    To be asked before a study is purged. False for a study without instances.
    """
    promised = CommittedInstance.objects.filter(
        sop_instance_uid=OuterRef("sop_instance_uid"),
        sha256=OuterRef("sha256"),
        outcome=Outcome.COMMITTED,
    )
    instances = Instance.objects.filter(series__study=study)
    return instances.exists() and not instances.exclude(Exists(promised)).exists()


def send_inquiry(row: CommitmentInquiry) -> bool:
    """N-ACTION, and a moment for the report; again later where the device is away.

    False where the device was called and did not take it.
    """
    if row.status == Status.ASKED:
        row = _ask_anew(row)
    if row.status != Status.WAITING or not claim(row, lease=LEASE):
        return True
    try:
        _request(row)
    except CalledDeviceFailed as error:
        _note_not_asked(row, str(error))
        return False
    return True


def take_report(device: Device, report: Dataset, *, origin: Origin) -> CommitmentInquiry:
    """Keep what a device reports; the same report again changes nothing.

    Raises TransactionUnknown.
    """
    uid = str(report.get("TransactionUID", ""))
    with transaction.atomic():
        rows = CommitmentInquiry.objects.select_for_update()
        row = rows.filter(device=device, transaction_uid=uid).first()
        if row is None:
            raise TransactionUnknown(uid)
        if row.reported_at is None:
            _keep_outcomes(row, report)
            _note_reported(row, origin)
    return row


def _inquiry(device: Device, instances: Sequence[Instance], origin: Origin) -> CommitmentInquiry:
    row = CommitmentInquiry.objects.create(
        device=device, transaction_uid=new_uid(), next_attempt_at=timezone.now()
    )
    CommittedInstance.objects.bulk_create(
        CommittedInstance(
            inquiry=row,
            sop_class_uid=one.sop_class_uid,
            sop_instance_uid=one.sop_instance_uid,
            sha256=one.sha256,
        )
        for one in instances
    )
    details = {"transaction": row.transaction_uid, "instances": len(instances)}
    record(Kind.COMMITMENT_ASKED, device, origin=origin, details=details)
    return row


def _ask_anew(row: CommitmentInquiry) -> CommitmentInquiry:
    """No report came: another question, under a UID of its own (PS3.4 J.3.2.1.1)."""
    rows = CommitmentInquiry.objects.filter(pk=row.pk, status=Status.ASKED)
    fresh = new_uid()
    rows.filter(next_attempt_at__lte=timezone.now()).update(
        status=Status.WAITING, transaction_uid=fresh, error=gettext("No report came.")
    )
    return CommitmentInquiry.objects.select_related("device").get(pk=row.pk)


def _request(row: CommitmentInquiry) -> None:
    reported = Signal()

    def receive(event: evt.Event) -> tuple[int, None]:
        code = _receive(row.device, event)
        reported.set()
        return code, None

    handlers = [(evt.EVT_N_EVENT_REPORT, receive)]
    with calling(row.device, COMMITMENT, handlers=handlers) as association:
        answer, _reply = association.send_n_action(
            _question(row), REQUEST, COMMITMENT, COMMITMENT_INSTANCE
        )
        expect_success(answer)
        within = timezone.now() + REPORT_WITHIN
        finish(row, status=Status.ASKED, next_attempt_at=within, error="")
        reported.wait(REPORT_SECONDS)


def _receive(device: Device, event: evt.Event) -> int:
    """On a thread of pynetdicom, which brings a database connection of its own."""
    try:
        take_report(device, event.event_information, origin=SYSTEM)
    except TransactionUnknown:
        return 0x0115
    finally:
        connection.close()
    return 0x0000


def _question(row: CommitmentInquiry) -> Dataset:
    question = Dataset()
    question.TransactionUID = row.transaction_uid
    asked = row.instances.values_list("sop_class_uid", "sop_instance_uid")
    question.ReferencedSOPSequence = DicomSequence([referenced(*one) for one in asked])
    return question


def _note_not_asked(row: CommitmentInquiry, error: str) -> None:
    if timezone.now() - row.asked_at > GIVE_UP:
        finish(row, status=Status.FAILED, error=error[:200], next_attempt_at=None)
    else:
        try_later(row, error)


def _keep_outcomes(row: CommitmentInquiry, report: Dataset) -> None:
    committed = [str(one.ReferencedSOPInstanceUID) for one in _items(report, "ReferencedSOP")]
    _set_outcome(row, committed, outcome=Outcome.COMMITTED)
    by_reason: dict[int | None, list[str]] = {}
    for one in _items(report, "FailedSOP"):
        reason = one.get("FailureReason")
        by_reason.setdefault(reason, []).append(str(one.ReferencedSOPInstanceUID))
    for reason, failed in by_reason.items():
        _set_outcome(row, failed, outcome=Outcome.FAILED, failure_reason=reason)
    # Whatever is not spoken of is not promised.
    row.instances.filter(outcome=Outcome.OPEN).update(outcome=Outcome.FAILED)


def _set_outcome(row: CommitmentInquiry, uids: Sequence[str], **values: Any) -> None:
    for some in _batches(uids, 500):
        row.instances.filter(sop_instance_uid__in=some).update(**values)


def _note_reported(row: CommitmentInquiry, origin: Origin) -> None:
    failed = row.instances.filter(outcome=Outcome.FAILED)
    uids = list(failed.values_list("sop_instance_uid", flat=True))
    row.status = Status.FAILED if uids else Status.CONFIRMED
    row.reported_at, row.next_attempt_at = timezone.now(), None
    row.error = gettext("%(count)d instances are not safe there.") % {"count": len(uids)}
    row.error = row.error if uids else ""
    row.save()
    details = {
        "transaction": row.transaction_uid,
        "by": row.device.ae_title,
        "committed": row.instances.count() - len(uids),
        "failed": uids[:100],
    }
    record(Kind.STORAGE_COMMITTED, row.device, origin=origin, details=details)


def _items(report: Dataset, name: str) -> list[Dataset]:
    items = report.get(f"{name}Sequence") or []
    return [one for one in items if "ReferencedSOPInstanceUID" in one]


def _batches(things: Iterable[Any], size: int) -> Iterable[Sequence[Any]]:
    some: list[Any] = []
    for thing in things:
        some.append(thing)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
