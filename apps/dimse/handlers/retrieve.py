"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): which images, and how their progress is told.

A C-MOVE whose requester has gone is stopped: hanging up is how many workstations cancel.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence

from django.db.models import Count
from pydicom.dataset import Dataset

from apps.dicom.keys import BadKeyError, Key, Matching, parse_keys
from apps.dimse import identifiers, messages, offers, status
from apps.dimse.association import Request
from apps.dimse.sending import in_order, loaded, send_instances
from apps.dimse.services.calling import CalledDeviceFailed
from apps.dimse.services.retrieving import Retrieved, note_retrieval
from apps.dimse.suboperations import Result, StorageUser
from apps.studies.datasets import UNIQUE_KEYS, Level
from apps.studies.models import Instance
from apps.studies.querysets import InstanceQuerySet
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
PENDING_SECONDS, PENDING_RESULTS = 0.4, 50  # how often a peer is told how far we are
MOST_FAILED = 1000  # UIDs of 64 characters that fit one element of explicit VR
# A leniency for studies: what else names a few of them, and never the whole archive.
_INSTEAD = ("AccessionNumber", "PatientID")
_ISSUER = "IssuerOfPatientID"  # no key of its own: it says whose number a Patient ID is
_STUDY_ROOT = (offers.STUDY_MOVE, offers.STUDY_GET)


def move_studies(request: Request) -> None:
    """Send what fits to a configured device, on associations of ours."""
    wanted = _wanted(request)
    device = _destination(request.command.text(messages.DESTINATION))
    progress = Progress(request, wanted)
    try:
        send_instances(
            device,
            wanted,
            on_result=progress.note,
            cancelled=progress.cancelled,
            move_originator=(request.association.device.ae_title, request.command.message_id),
        )
    except CalledDeviceFailed as error:
        logger.warning("C-MOVE to %s: %s", device.ae_title, error)
        progress.give_up(str(error))
    finally:
        progress.journal(device)
    progress.finish()


def get_studies(request: Request) -> None:
    """Send what fits back on the association that asked."""
    wanted = _wanted(request)
    association = request.association
    progress = Progress(request, wanted)
    keys = list(in_order(wanted).values_list("pk", flat=True))
    user = StorageUser(association)
    before, association.wire.on_idle = association.wire.on_idle, progress.tell
    try:
        for result in user.store(loaded(keys), stopped=progress.cancelled):
            progress.note(result)
    finally:
        association.wire.on_idle = before
        progress.journal(association.device)
    progress.finish()


class Progress:
    """Counts the sub-operations of one request, and tells its peer (PS3.4 C.4.2.1.6 ff.)."""

    def __init__(self, request: Request, wanted: InstanceQuerySet) -> None:
        self._request = request
        self._wanted = wanted
        series = wanted.order_by().values_list("series_id", "series__study_id")
        rows = list(series.annotate(Count("pk")))
        self._study_of = {one: study for one, study, _count in rows}
        self._remaining = sum(count for _series, _study, count in rows)
        self._completed = self._warned = 0
        self._failed: list[str] = []
        self._studies: dict[int, Retrieved] = {}
        self._comment = ""
        self._stopped = False
        self._told_at, self._untold = time.monotonic(), 0

    def note(self, result: Result) -> None:
        self._remaining = max(self._remaining - 1, 0)  # more may have come in meanwhile
        self._untold += 1
        if result.succeeded or result.warned:
            self._completed += result.succeeded
            self._warned += result.warned
            self._of(result.instance.series_id).completed += 1
        else:
            self._fail(result.instance.sop_instance_uid, result.instance.series_id)

    def give_up(self, reason: str) -> None:
        """Nothing can be sent."""
        for uid, series in in_order(self._wanted).values_list("sop_instance_uid", "series_id"):
            self._fail(uid, series)
        self._remaining, self._comment = 0, reason

    def cancelled(self) -> bool:
        """Has the peer had enough? Also tells it how far we are, now and then."""
        waited = time.monotonic() - self._told_at
        if waited >= PENDING_SECONDS or self._untold >= PENDING_RESULTS:
            self.tell()
        request = self._request
        self._stopped = request.association.cancelled(request.command.message_id)
        return self._stopped

    def tell(self) -> None:
        """A pending response."""
        self._told_at, self._untold = time.monotonic(), 0
        self._request.respond(status.PENDING, counts=self._counts(remaining=True))

    def finish(self) -> None:
        """The final response, with the instances that failed."""
        self._request.respond(
            self._status(),
            self._failed_list(),
            counts=self._counts(remaining=self._was_cancelled()),
            comment=self._comment,
        )

    def journal(self, destination: Device) -> None:
        origin = self._request.association.origin
        note_retrieval(self._studies, destination=destination.ae_title, origin=origin)

    def _fail(self, uid: str, series: int) -> None:
        self._failed.append(uid)
        self._of(series).failed.append(uid)

    def _of(self, series: int) -> Retrieved:
        return self._studies.setdefault(self._study_of.get(series, 0), Retrieved())

    def _was_cancelled(self) -> bool:
        return self._stopped and self._remaining > 0

    def _status(self) -> int:
        if self._was_cancelled():
            return status.CANCELLED
        if not self._failed:
            return status.SUBOPERATIONS_WARNED if self._warned else status.SUCCESS
        done = self._completed + self._warned
        return status.SUBOPERATIONS_WARNED if done else status.SUBOPERATIONS_FAILED

    def _counts(self, *, remaining: bool) -> dict[int, int]:
        counts = {
            messages.COMPLETED: self._completed,
            messages.FAILED: len(self._failed),
            messages.WARNING: self._warned,
        }
        if remaining:
            counts[messages.REMAINING] = self._remaining
        # They are of two bytes each.
        return {element: min(count, 0xFFFF) for element, count in counts.items()}

    def _failed_list(self) -> bytes | None:
        if not self._failed:
            return None
        answer = Dataset()
        answer.FailedSOPInstanceUIDList = self._failed[:MOST_FAILED]
        return identifiers.encode(answer, self._request.context.transfer_syntax)


def _wanted(request: Request) -> InstanceQuerySet:
    """What the identifier names; raises BadKeyError where it would name everything.

    Unique keys alone say what is retrieved (PS3.4 C.4.2.1.4, C.4.3.1.3). Others are passed
    over, as other archives do: they would narrow what is sent, and nobody would notice.
    """
    identifier = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    levels = tuple(Level)[request.context.abstract_syntax in _STUDY_ROOT :]
    level = str(identifier.get("QueryRetrieveLevel") or "").strip().upper()
    if level not in levels:
        raise BadKeyError("Query/Retrieve Level")
    keys = parse_keys(identifier)
    given = {key.name: key for key in keys if key.matching is not Matching.UNIVERSAL}
    naming = _naming(given, levels[: levels.index(Level(level)) + 1])
    _note_passed_over(request, given.keys() - {*naming, _ISSUER, "QueryRetrieveLevel"})
    return Instance.objects.answerable().matching([given[name] for name in naming])


def _naming(given: Mapping[str, Key], levels: Sequence[Level]) -> list[str]:
    """The keys that say what is retrieved at the last of `levels`; raises BadKeyError."""
    unique = UNIQUE_KEYS[levels[-1]]
    naming = {UNIQUE_KEYS[level] for level in levels} & given.keys()
    if levels[-1] is Level.STUDY and unique not in given:
        naming |= {*_INSTEAD} & given.keys()
    if not naming & {unique, *(_INSTEAD if levels[-1] is Level.STUDY else ())}:
        raise BadKeyError(f"{unique} is missing")
    for name in naming:
        if given[name].matching not in (Matching.SINGLE, Matching.LIST):
            raise BadKeyError(f"{name} with wildcards")
    return [*naming, *({_ISSUER} & given.keys() if "PatientID" in naming else ())]


def _note_passed_over(request: Request, names: Collection[str]) -> None:
    if names:
        title = request.association.device.ae_title
        logger.warning("%s: keys that name nothing: %s", title, ", ".join(sorted(names)))


def _destination(title: str) -> Device:
    device = Device.objects.allowed().filter(ae_title=title, may_receive=True).first()
    if device is None:
        raise status.DestinationUnknownError("no such device, or it is not sent images")
    return device
