"""Storing: from spool files to rows and files in their place, safe to run twice or at once."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.header import UnreadableError
from apps.dicom.names import search_form
from apps.studies.models import Instance, Series, Study
from apps.studies.services.incoming import (
    Incoming,
    content_digest,
    opened,
    read_incoming,
)
from apps.studies.services.matching import match_automatically
from apps.studies.spool import default_spool
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    STORED = "stored"
    DUPLICATE = "duplicate"  # the same object is here already: nothing to do
    CONFLICT = "conflict"  # another object is here under this UID: both are kept
    REFUSED = "refused"  # no usable DICOM object


@dataclass(frozen=True)
class Stored:
    """What became of one spool file."""

    path: Path
    outcome: Outcome
    reason: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""


def store_instances(paths: Sequence[Path], *, origin: Origin) -> list[Stored]:
    """Index spool files and put them in their place; one result per path, in order.

    A spool entry goes only after its rows are committed, so that a process dying on any
    line leaves a file that is simply stored again. Raises OSError or DatabaseError where
    storage or database are away: the files then stay in the spool.
    """
    results: dict[Path, Stored] = {}
    readable: list[Incoming] = []
    for path in dict.fromkeys(paths):
        try:
            readable.append(read_incoming(path))
        except FileNotFoundError:
            results[path] = Stored(path, Outcome.DUPLICATE, "taken by another worker")
        except UnreadableError as error:
            results[path] = _refuse(path, str(error), origin=origin)
    for batch in _without_repeats(readable):
        results |= {stored.path: stored for stored in _store_batch(batch, origin=origin)}
    return [results[path] for path in paths]


def place_of(incoming: Incoming, top: str = "studies") -> str:
    """The name in the storage: day of arrival, study, spool name; nothing a peer chose."""
    day = datetime.fromtimestamp(incoming.path.stat().st_mtime, UTC)
    folder = hashlib.sha256(incoming.study_instance_uid.encode()).hexdigest()[:16]
    return f"{top}/{day:%Y/%m/%d}/{folder}/{incoming.path.name}"


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


def _store_batch(batch: list[Incoming], *, origin: Origin) -> list[Stored]:
    try:
        return _store(batch, origin=origin)
    except (DataError, IntegrityError, ValueError) as error:
        if len(batch) > 1:
            # One file spoils the transaction of all: find it.
            return [stored for one in batch for stored in _store_batch([one], origin=origin)]
        log.exception("Storing %s failed", batch[0].path.name)
        reason = f"its values cannot be indexed ({type(error).__name__})"
        return [_refuse(batch[0].path, reason, origin=origin)]


def _store(batch: list[Incoming], *, origin: Origin) -> list[Stored]:
    known = _known([one.sop_instance_uid for one in batch])
    fresh = [one for one in batch if one.sop_instance_uid not in known]
    try:
        names = _place(fresh)
    except FileNotFoundError:
        # Another worker finished one of them in between: look again.
        return [stored for one in batch for stored in _store_again(one, origin=origin)]
    with transaction.atomic():
        _index(fresh, names, origin=origin)
    known |= _known([one.sop_instance_uid for one in fresh])
    return [_settle(one, known.get(one.sop_instance_uid), names, origin=origin) for one in batch]


def _store_again(one: Incoming, *, origin: Origin) -> list[Stored]:
    if not one.path.exists():
        return [Stored(one.path, Outcome.DUPLICATE, "taken by another worker")]
    return _store([one], origin=origin)


def _known(uids: list[str]) -> dict[str, Instance]:
    rows = Instance.objects.filter(sop_instance_uid__in=uids).defer("header", "frame_table")
    return {row.sop_instance_uid: row for row in rows}


def _place(fresh: list[Incoming]) -> dict[Path, str]:
    """Put files where their rows will say they are, before there are rows."""
    files = stored_files()
    names = {one.path: place_of(one) for one in fresh}
    for path, name in names.items():
        files.adopt(path, name)
    files.settle(names.values())
    return names


def _settle(
    one: Incoming, row: Instance | None, names: dict[Path, str], *, origin: Origin
) -> Stored:
    """After the commit: compare with what the index says now, and empty the spool."""
    name = names.get(one.path)
    if row is not None and row.file_name == (name or place_of(one)):
        outcome, reason = Outcome.STORED, ""
    else:
        if name:
            stored_files().remove(name)
        if row is not None and _same_content(one, row):
            outcome, reason = Outcome.DUPLICATE, "stored already"
        else:
            outcome, reason = Outcome.CONFLICT, _keep_aside(one, row, origin=origin)
    default_spool().discard(one.path)
    return Stored(one.path, outcome, reason, one.sop_instance_uid, one.study_instance_uid)


def _same_content(one: Incoming, row: Instance) -> bool:
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


def _keep_aside(one: Incoming, row: Instance | None, *, origin: Origin) -> str:
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
    with transaction.atomic():
        record(
            Kind.FILE_REFUSED,
            row,
            origin=origin,
            study_instance_uid=one.study_instance_uid,
            details={
                "reason": reason,
                "sop_instance_uid": one.sop_instance_uid,
                "file": name,
            },
        )
    log.warning("Kept aside %s as %s: %s", one.sop_instance_uid, name, reason)
    return reason


def _refuse(path: Path, reason: str, *, origin: Origin) -> Stored:
    with transaction.atomic():
        record(
            Kind.FILE_REFUSED,
            None,
            origin=origin,
            details={"reason": reason, "file": path.name},
        )
    default_spool().fail(path, reason)
    log.warning("Refused %s: %s", path.name, reason)
    return Stored(path, Outcome.REFUSED, reason)


def _index(fresh: list[Incoming], names: dict[Path, str], *, origin: Origin) -> None:
    """Write all rows of a batch. Parents are inserted or found, then locked in UID order."""
    if not fresh:
        return
    studies = _studies(fresh)
    series = _series(fresh, studies)
    stored = _instances(fresh, names, series)
    for uid, study in studies.items():
        own = [one for one in stored if one.study_instance_uid == uid]
        _count(study, own, series, origin=origin)


def _studies(fresh: list[Incoming]) -> dict[str, Study]:
    now = timezone.now()
    first = {one.study_instance_uid: one for one in reversed(fresh)}
    Study.objects.bulk_create(
        [
            Study(study_instance_uid=uid, last_instance_at=now, **first[uid].study)
            for uid in sorted(first)
        ],
        ignore_conflicts=True,
    )
    rows = Study.objects.select_for_update().filter(study_instance_uid__in=first)
    return {row.study_instance_uid: row for row in rows.order_by("study_instance_uid")}


def _series(fresh: list[Incoming], studies: dict[str, Study]) -> dict[str, Series]:
    first = {one.series_instance_uid: one for one in reversed(fresh)}
    Series.objects.bulk_create(
        [
            Series(
                series_instance_uid=uid,
                study=studies[first[uid].study_instance_uid],
                **first[uid].series,
            )
            for uid in sorted(first)
        ],
        ignore_conflicts=True,
    )
    rows = Series.objects.filter(series_instance_uid__in=first)
    return {row.series_instance_uid: row for row in rows}


def _instances(
    fresh: list[Incoming], names: dict[Path, str], series: dict[str, Series]
) -> list[Incoming]:
    """Insert instances; returns those whose row is ours."""
    studies = dict(
        Study.objects.filter(
            study_instance_uid__in={one.study_instance_uid for one in fresh}
        ).values_list("study_instance_uid", "pk")
    )
    fitting = [
        one
        for one in sorted(fresh, key=lambda one: one.sop_instance_uid)
        if series[one.series_instance_uid].study_id == studies[one.study_instance_uid]
    ]
    Instance.objects.bulk_create(
        [
            Instance(
                sop_instance_uid=one.sop_instance_uid,
                series=series[one.series_instance_uid],
                file_name=names[one.path],
                size=one.size,
                sha256=one.sha256,
                **one.instance,
            )
            for one in fitting
        ],
        ignore_conflicts=True,
    )
    # Another worker may have been first with the same object, even with the same file.
    return [one for one in fitting if _is_new(one, names)]


def _is_new(one: Incoming, names: dict[Path, str]) -> bool:
    return Instance.objects.filter(
        sop_instance_uid=one.sop_instance_uid, file_name=names[one.path]
    ).exists()


def _count(study: Study, own: list[Incoming], series: dict[str, Series], *, origin: Origin) -> None:
    """Bring a locked study's copies and counters up to date; announce it if it is new."""
    is_new = study.revision == 0
    if not own:
        if is_new:
            study.delete()
        return
    for one in own:
        _fill_blanks(study, one)
        row = series[one.series_instance_uid]
        study.series_count += row.revision == 0
        row.revision += 1
        row.instance_count += 1
        study.size += one.size
    touched = {one.series_instance_uid: series[one.series_instance_uid] for one in own}
    Series.objects.bulk_update(touched.values(), ["revision", "instance_count"])
    study.instance_count += len(own)
    study.patient_search_name = search_form(study.patient_name)[:324]
    study.modalities = _joined([*study.modality_list, *(one.modality for one in own)])
    study.revision += 1
    study.last_instance_at = timezone.now()
    if study.status == Study.Status.AVAILABLE:
        study.status = Study.Status.RECEIVING
    study.save()
    if is_new:
        match_automatically(study, origin=origin, announce=True)


def _fill_blanks(study: Study, one: Incoming) -> None:
    """Later objects add what is missing and change nothing: a derived SR often knows less."""
    for column, value in one.study.items():
        if value and not getattr(study, column):
            setattr(study, column, value)


def _joined(modalities: Iterable[str]) -> str:
    known = sorted({one for one in modalities if one})
    return ("\\" + "\\".join(known) + "\\")[:128] if known else ""
