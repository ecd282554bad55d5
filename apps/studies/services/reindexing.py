"""The index rebuilt from the files, and the files held against the index."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import Min

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.header import UnreadableError
from apps.studies.models import Instance, Study
from apps.studies.services.incoming import Incoming, read_incoming
from apps.studies.services.indexing import index_batch
from apps.studies.services.keeping import is_unaltered
from apps.studies.services.labelling import restore_labels
from apps.studies.services.sidecars import (
    read_sidecar,
    restore_corrections,
    restore_stray_conflicts,
)
from apps.studies.storage import stored_files

TOP = "studies"
AT_ONCE = 100  # files in one transaction
Progress = Callable[[int], None]


@dataclass
class Rebuilt:
    """What became of the files: counts, and names with the reason where nothing could."""

    known: int = 0
    added: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)  # its object has a row of another file
    studies: set[str] = field(default_factory=set)  # UIDs of those that got rows
    restored: int = 0  # labels, corrections and conflicts that were written down beside the files


@dataclass
class Verified:
    """What was found: files that are whole, names of those that are not, and of strangers."""

    whole: int = 0
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # in the storage, not in the index


def rebuild_index(*, origin: Origin, progress: Progress = lambda _count: None) -> Rebuilt:
    """Index every stored file that has no row; safe while the department works.

    Studies that come back are available at once and announced to nobody: they were, once.
    `progress` is told how many files were looked at.
    """
    result = Rebuilt()
    done = 0
    for names in _batches(stored_files().names(TOP)):
        _rebuild_batch(names, result, origin=origin)
        done += len(names)
        progress(done)
    for uid in result.studies:
        study = Study.everything.get(study_instance_uid=uid)
        written = read_sidecar(uid) or {}
        result.restored += restore_labels(study, written.get("labels", ()))
        result.restored += restore_corrections(study)
    result.restored += restore_stray_conflicts()
    with transaction.atomic():
        details = {
            "known": result.known,
            "added": result.added,
            "restored": result.restored,
            "unreadable": [name for name, _reason in result.unreadable][:100],
            "twice": result.twice[:100],
        }
        record(Kind.INDEX_REBUILT, None, origin=origin, details=details)
    return result


def verify_files(*, origin: Origin, progress: Progress = lambda _count: None) -> Verified:
    """Read every stored file and compare it with its digest; look for files without a row."""
    result = Verified()
    rows = Instance.everything.light().order_by("pk")
    for done, row in enumerate(rows.iterator(chunk_size=500), start=1):
        if is_unaltered(row):
            result.whole += 1
        else:
            result.damaged.append(row.file_name)
            _note_damage(row, origin=origin)
        progress(done)
    for names in _batches(stored_files().names(TOP)):
        result.unknown += _without_row(names)
    with transaction.atomic():
        details = {
            "whole": result.whole,
            "damaged": len(result.damaged),
            "unknown": result.unknown[:100],
        }
        record(Kind.FILES_VERIFIED, None, origin=origin, details=details)
    return result


def _rebuild_batch(names: list[str], result: Rebuilt, *, origin: Origin) -> None:
    wanted = _without_row(names)
    result.known += len(names) - len(wanted)
    with ExitStack() as held:
        readable: dict[Path, str] = {}
        incoming: dict[str, Incoming] = {}
        for name in wanted:
            try:
                path = held.enter_context(stored_files().at_hand(name))
                one = read_incoming(path)
            except (UnreadableError, OSError) as error:
                result.unreadable.append((name, str(error)))
                continue
            readable[path] = name
            if incoming.setdefault(one.sop_instance_uid, one) is not one:
                result.twice.append(name)
        _index(list(incoming.values()), readable, result, origin=origin)


def _index(
    incoming: list[Incoming], names: dict[Path, str], result: Rebuilt, *, origin: Origin
) -> None:
    with transaction.atomic():
        new = index_batch(incoming, names, origin=origin, announce=False)
        uids = {one.study_instance_uid for one in incoming if one.sop_instance_uid in new}
        _restore(uids)
    result.added += len(new)
    result.studies |= uids
    result.twice += [names[one.path] for one in incoming if one.sop_instance_uid not in new]


def _restore(uids: set[str]) -> None:
    """What a study was before: received when its first file came, and complete."""
    rows = Study.everything.filter(study_instance_uid__in=uids)
    first = Min("series__instances__received_at")
    for key, came in rows.annotate(first=first).values_list("pk", "first"):
        Study.everything.filter(pk=key).update(received_at=came)
        Study.objects.filter(pk=key).update(status=Study.Status.AVAILABLE)


def _note_damage(row: Instance, *, origin: Origin) -> None:
    with transaction.atomic():
        record(
            Kind.FILE_DAMAGED,
            row,
            origin=origin,
            details={"file": row.file_name, "sop_instance_uid": row.sop_instance_uid},
        )


def _without_row(names: list[str]) -> list[str]:
    rows = Instance.everything.filter(file_name__in=names)
    known = set(rows.values_list("file_name", flat=True))
    return [name for name in names if name not in known]


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
