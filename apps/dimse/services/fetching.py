"""Fetching studies from other archives (C-MOVE to ourselves, or C-GET; PS3.4 C.4.2, C.4.3).

What an archive sends in C-MOVE comes in through our listener like any image; what comes in
C-GET goes into the spool here, durable before it is acknowledged.
"""

import logging
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.presentation import StoragePresentationContexts

from apps.audit.models import Kind
from apps.audit.retrying import claim, renewing
from apps.audit.services import Origin, record
from apps.dicom.part10 import file_meta
from apps.dicom.uids import valid_uid
from apps.dimse.models import Retrieval
from apps.dimse.offers import STUDY_GET, STUDY_MOVE
from apps.dimse.services.attempts import finish, try_later
from apps.dimse.services.calling import CalledDeviceFailed, calling
from apps.dimse.services.remote import find_remote_classes
from apps.studies.models import Study
from apps.studies.spool import default_spool
from apps.studies.tasks import nudge
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
AT_ONCE = 2  # retrievals running; the other threads of the worker are for what comes in
ATTEMPTS = 8
SILENCE_SECONDS = 120  # between two responses
LEASE = timedelta(seconds=SILENCE_SECONDS + 60)
PROGRESS_SECONDS = 1
ANNOUNCE_FILES = 50
PENDING = (0xFF00, 0xFF01)
MOST_CONTEXTS = 127  # PS3.8 9.3.2.2: odd numbers of a byte; one is C-GET itself
# What trying again does not change (PS3.4 tables C.4-2, C.4-3).
_FOR_GOOD = {
    0xA801: _("The archive does not know our AE title %(title)s."),
    0xA900: _("The archive says that the request does not fit."),
    0x0122: _("The archive does not offer this service."),
    0x0124: _("The archive does not allow us to retrieve."),
}
# Explicit, Implicit VR; then compressed as it may be stored there, each in its own context.
_UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
_COMPRESSED = [
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.2",
]
Status = Retrieval.Status


class NotFailed(Exception):
    """Only what has failed is begun again by hand."""

    message = _("This retrieval has not failed.")

    def __init__(self) -> None:
        super().__init__(str(self.message))


class FailedForGood(CalledDeviceFailed):
    """Trying again would change nothing."""


@dataclass(frozen=True)
class Counts:
    """Sub-operations; None where the archive has not said anything."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warnings: int | None = None

    @property
    def columns(self) -> dict[str, int]:
        return {name: value or 0 for name, value in vars(self).items()}

    @property
    def nothing(self) -> bool:
        """The archive says that there was nothing to send."""
        told = (self.completed, self.failed, self.warnings)
        return any(one is not None for one in told) and not any(told)


def request_retrieval(
    device: Device, study_instance_uid: str, series_instance_uid: str = "", *, origin: Origin
) -> Retrieval:
    """Queue a study, or one series, to be fetched; what is queued already is not queued twice."""
    what = {"study_instance_uid": study_instance_uid, "series_instance_uid": series_instance_uid}
    fresh = {"user": origin.user, "next_attempt_at": timezone.now()}
    open_rows = Retrieval.objects.filter(status__in=[Status.WAITING, Status.RUNNING])
    row, _created = open_rows.get_or_create(device=device, **what, defaults=fresh)
    return row


def retry_retrieval(row: Retrieval, *, origin: Origin) -> Retrieval:
    """Begin a failed retrieval again; raises NotFailed."""
    with transaction.atomic():
        row = Retrieval.objects.select_for_update().get(pk=row.pk)
        if row.status != Status.FAILED:
            raise NotFailed
        return request_retrieval(
            row.device, row.study_instance_uid, row.series_instance_uid, origin=origin
        )


def run_retrieval(row: Retrieval) -> None:
    """Fetch what a row asks for; again later where the archive is away or sends not all."""
    if Retrieval.objects.running().exclude(pk=row.pk).count() >= AT_ONCE:
        return
    if row.status not in (Status.WAITING, Status.RUNNING) or not claim(row, lease=LEASE):
        return
    finish(row, status=Status.RUNNING, error="")
    row.status = Status.RUNNING
    try:
        _note_done(row, _fetch(row))
    except FailedForGood as error:
        _give_up(row, str(error))
    except CalledDeviceFailed as error:
        if row.attempts >= ATTEMPTS:
            _give_up(row, str(error))
        else:
            try_later(row, str(error), status=Status.WAITING)


def _fetch(row: Retrieval) -> Counts:
    """The counts at the end; raises CalledDeviceFailed where not all came."""
    with closing(_get(row) if row.device.retrieve_by_get else _move(row)) as responses:
        counts, code = _follow(row, responses)
    if code in _FOR_GOOD:
        title = {"title": settings.OPENPACS_AE_TITLE}
        raise FailedForGood(str(_FOR_GOOD[code]) % title)
    if counts.failed:
        finish(row, **counts.columns)
        said = gettext("%(failed)d of %(all)d images were not sent.")
        done = counts.failed + (counts.completed or 0) + (counts.warnings or 0)
        raise CalledDeviceFailed(said % {"failed": counts.failed, "all": done})
    if code not in (0x0000, 0xB000):
        said = gettext("The device answered with status %s.")
        raise CalledDeviceFailed(said % f"0x{code:04X}")
    if counts.nothing:
        raise FailedForGood(gettext("The archive has nothing of it."))
    return counts


def _follow(row: Retrieval, responses: Iterable[Dataset]) -> tuple[Counts, int]:
    """Read responses to the last one: the counts, and its status."""
    counts, shown = Counts(), 0.0
    renew = renewing(row, lease=LEASE)
    for response in responses:
        if "Status" not in response:
            break
        counts = _counted(counts, response)
        if response.Status not in PENDING:
            return replace(counts, remaining=0), int(response.Status)
        renew()
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            finish(row, **counts.columns)
    raise CalledDeviceFailed(gettext("The device did not answer in time."))


def _counted(counts: Counts, response: Dataset) -> Counts:
    names = {
        "remaining": "NumberOfRemainingSuboperations",
        "completed": "NumberOfCompletedSuboperations",
        "failed": "NumberOfFailedSuboperations",
        "warnings": "NumberOfWarningSuboperations",
    }
    said = {name: response.get(keyword) for name, keyword in names.items()}
    return replace(counts, **{name: one for name, one in said.items() if one is not None})


def _move(row: Retrieval) -> Generator[Dataset, None, None]:
    with calling(row.device, STUDY_MOVE, answer_seconds=SILENCE_SECONDS) as association:
        sent = association.send_c_move(_identifier(row), settings.OPENPACS_AE_TITLE, STUDY_MOVE)
        for response, _identifiers in sent:
            yield response


def _get(row: Retrieval) -> Generator[Dataset, None, None]:
    classes = find_remote_classes(row.device, row.study_instance_uid, row.series_instance_uid)
    contexts = get_contexts(sorted(classes))
    roles = [build_role(uid, scp_role=True) for uid in dict(contexts)]
    receiver = _Receiver(row.device)
    try:
        with calling(
            row.device,
            STUDY_GET,
            roles=roles,
            contexts=contexts,
            handlers=[(evt.EVT_C_STORE, receiver.take)],
            answer_seconds=SILENCE_SECONDS,
        ) as association:
            for response, _identifiers in association.send_c_get(_identifier(row), STUDY_GET):
                receiver.announce(at_least=ANNOUNCE_FILES)
                yield response
    finally:
        receiver.announce()


def get_contexts(classes: list[str]) -> list[tuple[str, list[str]]]:
    """Presentation contexts to receive these SOP classes in, as they are stored there.

    Each syntax has a context of its own, so that the archive need not choose one for all of
    a class; where there are too many, the rarer syntaxes are left out.
    """
    known = classes or [str(one.abstract_syntax) for one in StoragePresentationContexts]
    contexts = [(uid, _UNCOMPRESSED) for uid in known]
    contexts += [(uid, [syntax]) for syntax in _COMPRESSED for uid in known]
    return contexts[:MOST_CONTEXTS]


class _Receiver:
    """Takes what an archive sends in C-GET, on a thread of pynetdicom."""

    def __init__(self, device: Device) -> None:
        self._source = device.ae_title
        self._unannounced: list[str] = []

    def take(self, event: evt.Event) -> int:
        """0x0000 only after the file would survive a power failure."""
        request: Any = event.request
        sop_class, uid = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if not valid_uid(uid):
            return 0x0117
        front = file_meta(
            sop_class=sop_class,
            sop_instance=uid,
            transfer_syntax=str(event.context.transfer_syntax),
            source=self._source,
        )
        try:
            path = default_spool().write([front, request.DataSet.getbuffer()])
        except OSError as error:
            logger.warning("an image of %s is not kept: %s", self._source, type(error).__name__)
            return 0xA700
        self._unannounced.append(path.name)
        return 0x0000

    def announce(self, *, at_least: int = 1) -> None:
        """Have indexed what came; what a lost nudge leaves a sweep finds."""
        if len(self._unannounced) >= at_least:
            names, self._unannounced = self._unannounced, []
            nudge(names)


def _identifier(row: Retrieval) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES" if row.series_instance_uid else "STUDY"
    identifier.StudyInstanceUID = row.study_instance_uid
    if row.series_instance_uid:
        identifier.SeriesInstanceUID = row.series_instance_uid
    return identifier


def _note_done(row: Retrieval, counts: Counts) -> None:
    values = {**counts.columns, "status": Status.DONE, "finished_at": timezone.now()}
    with transaction.atomic():
        if finish(row, **values, error="", next_attempt_at=None):
            _record(row, counts.columns)


def _give_up(row: Retrieval, error: str) -> None:
    values = {"status": Status.FAILED, "finished_at": timezone.now(), "error": error[:200]}
    with transaction.atomic():
        if finish(row, **values, next_attempt_at=None):
            _record(row, {"error": error[:200]})


def _record(row: Retrieval, details: dict[str, Any]) -> None:
    study = Study.objects.filter(study_instance_uid=row.study_instance_uid).first()
    record(
        Kind.REMOTE_RETRIEVED,
        row,
        origin=Origin(protocol="dimse", peer=row.device.ae_title, user=row.user),
        patient_id=study.patient_id if study else None,
        accession_number=study.accession_number if study else "",
        study_instance_uid=row.study_instance_uid,
        details={**details, "series": row.series_instance_uid},
    )
