"""Storing: from spool files to rows and files in their place, safe to run twice or at once."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from django.db import DataError, IntegrityError, transaction

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.header import UnreadableError
from apps.studies.services.authoring import misfit, note_saved
from apps.studies.services.conflicts import is_what_we_sent, keep_conflict
from apps.studies.services.incoming import (
    Flaw,
    Incoming,
    content_digest,
    opened,
    read_incoming,
)
from apps.studies.services.indexing import Known, index_batch, known_instances
from apps.studies.services.rejecting import note_again
from apps.studies.spool import Spool, default_spool, received_at
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)


TAKEN = "taken by another worker"


class Outcome(StrEnum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # the same object is here already: nothing to do
    CONFLICT = "conflict"  # another object is here under this UID: both are kept
    REFUSED = "refused"  # no usable DICOM object
    # Only where the door asks for more than that (`Demands`):
    NAMELESS = "nameless"  # belongs to no study or series
    MISPLACED = "misplaced"  # belongs to another study than the one named
    UNSUPPORTED = "unsupported"  # of a class that is not stored
    CONTRADICTION = "contradiction"  # of another class than its file announces
    MISFIT = "misfit"  # of another patient than its study, or about images of another one


@dataclass(frozen=True)
class Demands:
    """What a door asks of the objects it brings, beside that they are readable.

    `study`: all belong to this one. `strict`: nothing is made up for them that they lack.
    `promised`: the sender was told that they are safe, so that refused ones are put aside
    for a person; others are removed, the sender being told why. `authored`: what is made of
    images has to fit their study, and who saved it is noted.
    """

    study: str = ""
    strict: bool = False
    promised: bool = True
    authored: bool = False


DEVICE = Demands()
_FLAWS = {
    Flaw.NO_STUDY: Outcome.NAMELESS,
    Flaw.NO_SERIES: Outcome.NAMELESS,
    Flaw.NOT_STORABLE: Outcome.UNSUPPORTED,
    Flaw.CONTRADICTION: Outcome.CONTRADICTION,
}


@dataclass(frozen=True)
class Stored:
    """What became of one spool file."""

    path: Path
    outcome: Outcome
    reason: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_class_uid: str = ""

    @property
    def is_gone(self) -> bool:
        """Was there no such file any more?"""
        return self.reason == TAKEN


def store_instances(
    paths: Sequence[Path], *, origin: Origin, demands: Demands = DEVICE
) -> list[Stored]:
    """Index spool files and put them in their place; one result per path, in order.

    A spool entry goes only after its rows are committed, so that a process dying on any
    line leaves a file that is simply stored again. Raises OSError or DatabaseError where
    storage or database are away: the files then stay in the spool.
    """
    results: dict[Path, Stored] = {}
    readable: list[Incoming] = []
    for path in dict.fromkeys(paths):
        try:
            one = read_incoming(path)
        except FileNotFoundError:
            results[path] = Stored(path, Outcome.DUPLICATE, TAKEN)
        except UnreadableError as error:
            results[path] = _refuse(path, str(error), origin=origin, demands=demands)
        else:
            if refused := _undemanded(one, demands, origin=origin):
                results[path] = refused
            else:
                readable.append(one)
    for batch in _without_repeats(readable):
        stored = _store_batch(batch, origin=origin, demands=demands)
        results |= {one.path: one for one in stored}
    return [results[path] for path in paths]


def place_of(incoming: Incoming, top: str = "studies") -> str:
    """The name in the storage: day of arrival, study, spool name; nothing a peer chose."""
    name = incoming.path.name
    day = received_at(name)
    folder = hashlib.sha256(incoming.study_instance_uid.encode()).hexdigest()[:16]
    return f"{top}/{day:%Y/%m/%d}/{folder}/{name}"


def _without_repeats(readable: Iterable[Incoming]) -> list[list[Incoming]]:
    """Batches in which every SOP Instance UID occurs once."""
    batches: list[dict[str, Incoming]] = []
    for one in readable:
        for batch in batches:
            if one.sop_instance_uid not in batch:
                batch[one.sop_instance_uid] = one
                break
        else:
            batches.append({one.sop_instance_uid: one})
    return [list(batch.values()) for batch in batches]


def _undemanded(one: Incoming, demands: Demands, *, origin: Origin) -> Stored | None:
    """The refusal of an object that is not what the door asks for."""
    if demands.study not in ("", one.study_instance_uid):
        outcome, reason = Outcome.MISPLACED, "it belongs to another study"
    elif demands.strict and one.flaws:
        flaw = min(one.flaws, key=list(_FLAWS).index)
        outcome, reason = _FLAWS[flaw], flaw.value
    elif demands.authored and (reason := misfit(one)):
        outcome = Outcome.MISFIT
    else:
        return None
    refused = _refuse(one.path, reason, origin=origin, demands=demands)
    return replace(_told(one, outcome, refused.reason), study_instance_uid="")


def _store_batch(batch: list[Incoming], *, origin: Origin, demands: Demands) -> list[Stored]:
    try:
        return _store(batch, origin=origin, authored=demands.authored)
    except (DataError, IntegrityError, ValueError) as error:
        if len(batch) > 1:
            # One file spoils the transaction of all: find it.
            return [
                stored
                for one in batch
                for stored in _store_batch([one], origin=origin, demands=demands)
            ]
        log.exception("Storing %s failed", batch[0].path.name)
        reason = f"its values cannot be indexed ({type(error).__name__})"
        refused = _refuse(batch[0].path, reason, origin=origin, demands=demands)
        return [_told(batch[0], Outcome.REFUSED, refused.reason)]


def _store(batch: list[Incoming], *, origin: Origin, authored: bool) -> list[Stored]:
    """Raises the first error of the storage, after storing those files that it kept."""
    known = known_instances([one.sop_instance_uid for one in batch])
    wanted = [one for one in batch if one.sop_instance_uid not in known]
    names, failed = _place(wanted)
    fresh = [one for one in wanted if one.path in names]
    with transaction.atomic():
        new = index_batch(fresh, names, origin=origin)
        if authored:
            note_saved([one for one in fresh if one.sop_instance_uid in new], origin=origin)
    if others := [uid for one in fresh if (uid := one.sop_instance_uid) not in new]:
        known |= known_instances(others)
    note_again({uid: one.rejection_id for uid, one in known.items()}, origin=origin)
    spool = default_spool()
    stored = [
        _indexed(one, spool)
        if one.sop_instance_uid in new
        else _settle(one, known.get(one.sop_instance_uid), names, origin=origin)
        for one in batch
        if one.path not in failed
    ]
    for path, problem in failed.items():
        if path.exists():
            raise problem
        stored.append(Stored(path, Outcome.DUPLICATE, TAKEN))  # another worker finished it
    return stored


def _indexed(one: Incoming, spool: Spool) -> Stored:
    spool.discard(one.path)
    return _told(one, Outcome.STORED)


def _told(one: Incoming, outcome: Outcome, reason: str = "") -> Stored:
    return Stored(
        one.path,
        outcome,
        reason,
        one.sop_instance_uid,
        one.study_instance_uid,
        one.series_instance_uid,
        one.instance["sop_class_uid"],
    )


def _place(fresh: list[Incoming]) -> tuple[dict[Path, str], dict[Path, OSError]]:
    """Put files where their rows will say they are, before there are rows.

    One that the storage does not keep does not hold up the others.
    """
    files = stored_files()
    names = {one.path: place_of(one) for one in fresh}
    failed = files.adopt_all(names)
    placed = {path: name for path, name in names.items() if path not in failed}
    files.settle(placed.values())
    return placed, failed


def _settle(one: Incoming, row: Known | None, names: dict[Path, str], *, origin: Origin) -> Stored:
    """After the commit: compare with what the index says now, and empty the spool."""
    name = names.get(one.path)
    if row is not None and row.file_name == (name or place_of(one)):
        outcome, reason = Outcome.STORED, ""
    else:
        if name:
            stored_files().remove(name)
        if row is not None and (_same_content(one, row) or is_what_we_sent(one, row.pk)):
            outcome, reason = Outcome.DUPLICATE, "stored already"
        else:
            outcome, reason = Outcome.CONFLICT, _keep_aside(one, row, origin=origin)
    default_spool().discard(one.path)
    return _told(one, outcome, reason)


def _same_content(one: Incoming, row: Known) -> bool:
    """The same object, though perhaps with other file meta information."""
    if row.sha256 == one.sha256:
        return True
    if row.transfer_syntax_uid != one.instance["transfer_syntax_uid"]:
        return False
    with stored_files().open(row.file_name) as file:
        stored = file.read()
    offset = len(stored) - (one.size - one.content_offset)
    with opened(one.path) as buffer:
        return offset > 0 and content_digest(stored, offset) == content_digest(
            buffer, one.content_offset
        )


def _keep_aside(one: Incoming, row: Known | None, *, origin: Origin) -> str:
    """Another object under a known UID: never overwrite, never lose (both may matter)."""
    name = place_of(one, "conflicts")
    files = stored_files()
    files.adopt(one.path, name)
    files.settle([name])
    reason = (
        "another object with this SOP Instance UID is stored"
        if row
        else "its series belongs to another study"
    )
    keep_conflict(one, name, instance_id=row.pk if row else None, reason=reason, origin=origin)
    log.warning("Kept aside %s as %s: %s", one.sop_instance_uid, name, reason)
    return reason


def _refuse(path: Path, reason: str, *, origin: Origin, demands: Demands) -> Stored:
    with transaction.atomic():
        record(
            Kind.FILE_REFUSED,
            None,
            origin=origin,
            details={"reason": reason, "file": path.name},
        )
    if demands.promised:
        default_spool().fail(path, reason)
    else:
        default_spool().discard(path)
    log.warning("Refused %s: %s", path.name, reason)
    return Stored(path, Outcome.REFUSED, reason)
