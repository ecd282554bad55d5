"""What becomes of an uploaded file: unpacked, stored, corrected, and told in plain words."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.alone import alone
from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.picture_files import kind_of
from apps.studies.models import Study, Upload
from apps.studies.services.assigning import BelongsElsewhereError, assign_study
from apps.studies.services.storing import Demands, Outcome, Stored, store_instances
from apps.studies.services.wrapping import (
    MOST_BYTES,
    NotWrappableError,
    Wrapping,
    wrapping_of,
)
from apps.studies.spool import Stage, default_spool
from apps.studies.unpacking import BadArchiveError, BadEntryError, Entry, entries

log = logging.getLogger(__name__)
AT_ONCE = 50
CHUNK = 1 << 20
MOST_LINES = 2000  # of one upload, that are told one by one
DEMANDS = Demands(promised=False)


class Told(StrEnum):
    """How a file ended, for a person."""

    STORED = "stored"
    KNOWN = "known"
    HELD = "held"
    SKIPPED = "skipped"
    REFUSED = "refused"


_TOLD = {Outcome.STORED: Told.STORED, Outcome.DUPLICATE: Told.KNOWN, Outcome.CONFLICT: Told.HELD}


@dataclass
class Line:
    """One file of an upload, and what became of it."""

    name: str
    told: Told = Told.REFUSED
    words: str = ""
    study: str = ""


class Refused(ValueError):
    """A file that is not taken; the message says why, in plain words."""


def take_in(upload: Upload, *, origin: Origin) -> Upload:
    """Store what an upload holds; safe to run again after it broke off.

    Raises OSError or DatabaseError where storage or database are away: to be tried again.
    """
    if upload.state != Upload.State.RECEIVED:
        return upload
    with alone(upload.path) as mine:
        upload.refresh_from_db()
        if mine and upload.state == Upload.State.RECEIVED:
            _finish(upload, list(_lines(upload, origin=origin)), origin=origin)
    return upload


def _finish(upload: Upload, lines: list[Line], *, origin: Origin) -> None:
    with transaction.atomic():
        upload.state, upload.results = Upload.State.DONE, _results(lines)
        upload.save(update_fields=["state", "results"])
        counts = {told.value: sum(line.told == told for line in lines) for told in Told}
        target = upload.target
        record(
            Kind.FILES_UPLOADED,
            upload,
            origin=origin,
            patient_id=target.pk if target else None,
            details={"files": len(lines), **counts},
        )
    upload.path.unlink(missing_ok=True)


def _lines(upload: Upload, *, origin: Origin) -> Iterator[Line]:
    wrapping = wrapping_of(upload)
    waiting: list[tuple[Line, Path]] = []
    found: list[tuple[Line, Stored]] = []
    with default_spool().staging() as stage:
        for line, path in _files(upload, stage, wrapping):
            yield line
            if path is not None:
                waiting.append((line, path))
            if len(waiting) >= AT_ONCE:
                found += _store(waiting, stage, origin=origin)
                waiting = []
        found += _store(waiting, stage, origin=origin)
    _assign(upload, found, origin=origin)


def _files(
    upload: Upload, stage: Stage, wrapping: Wrapping | None
) -> Iterator[tuple[Line, Path | None]]:
    """Every file within, with where it waits to be stored, or why it does not."""
    try:
        for entry in _entries(upload):
            line = Line(entry.name)
            path = None
            try:
                path = _staged(entry, stage, wrapping)
            except (Refused, BadEntryError, NotWrappableError) as error:
                line.words = str(error)
            if path is None and not line.words:
                line.told, line.words = Told.SKIPPED, _("a list of contents, which is not needed")
            yield line, path
    except BadArchiveError as error:
        yield Line(upload.name, words=str(error)), None


def _entries(upload: Upload) -> Iterable[Entry]:
    with upload.path.open("rb") as file:
        kind = kind_of(file.read(132))
    if kind == "application/zip":
        return entries(upload.path)
    return [Entry(upload.name, _chunks(upload.path))]


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _staged(entry: Entry, stage: Stage, wrapping: Wrapping | None) -> Path | None:
    """The file as a DICOM file; None for one that is left out."""
    first = next(entry.chunks, b"")
    kind = kind_of(first)
    rest = chain([first], entry.chunks)
    if kind == "application/dicom":
        return None if _is_directory(entry.name) else stage.keep(rest)
    if kind == "application/zip":
        raise Refused(_("a ZIP file within a ZIP file: unpack it and upload what is in it"))
    if not kind:
        raise Refused(_("neither a DICOM file nor a picture (JPEG, PNG) nor a PDF"))
    if wrapping is None:
        raise Refused(_("choose a patient or an order first: a picture does not say whose it is"))
    return stage.keep([wrapping.wrap(kind, entry.name, _whole(rest))])


def _is_directory(name: str) -> bool:
    return name.replace("\\", "/").rpartition("/")[2].upper() == "DICOMDIR"


def _whole(chunks: Iterable[bytes]) -> bytes:
    made = bytearray()
    for chunk in chunks:
        made += chunk
        if len(made) > MOST_BYTES:
            raise Refused(_("larger than a picture or document may be"))
    return bytes(made)


def _store(
    waiting: list[tuple[Line, Path]], stage: Stage, *, origin: Origin
) -> list[tuple[Line, Stored]]:
    paths = stage.admit([path for _line, path in waiting])
    stored = store_instances(paths, origin=origin, demands=DEMANDS) if paths else []
    done = [(line, one) for (line, _path), one in zip(waiting, stored, strict=True)]
    for line, one in done:
        line.told = _TOLD.get(one.outcome, Told.REFUSED)
        line.words = _words(one)
        line.study = one.study_instance_uid if line.told != Told.REFUSED else ""
    return done


def _words(one: Stored) -> str:
    if one.outcome is Outcome.STORED:
        return _("stored")
    if one.outcome is Outcome.DUPLICATE:
        return _("was here already")
    if one.outcome is Outcome.CONFLICT:
        return _("another image with the same number is here: kept aside until somebody decides")
    return _("cannot be used: %(reason)s") % {"reason": one.reason}


def _assign(upload: Upload, found: list[tuple[Line, Stored]], *, origin: Origin) -> None:
    """Correct the studies that came to the patient or order that was chosen."""
    patient = upload.target
    if patient is None:
        return
    uids = {line.study for line, _one in found if line.told in (Told.STORED, Told.KNOWN)}
    for study in Study.objects.filter(study_instance_uid__in=uids):
        fresh = study.received_at >= upload.created_at
        try:
            assign_study(
                study, patient=patient, procedure=upload.procedure, fresh=fresh, origin=origin
            )
        except BelongsElsewhereError as error:
            for line, _one in found:
                if line.study == study.study_instance_uid:
                    line.words = f"{line.words}. {error}"


def _results(lines: list[Line]) -> list[dict[str, Any]]:
    """What is kept to be shown; of very many files the ones that were not stored come first."""
    if len(lines) > MOST_LINES:
        lines = sorted(lines, key=lambda line: line.told in (Told.STORED, Told.KNOWN))[:MOST_LINES]
    uids = {line.study for line in lines if line.study}
    keys = dict(
        Study.objects.filter(study_instance_uid__in=uids).values_list("study_instance_uid", "pk")
    )
    return [
        {
            "name": line.name[-200:],
            "outcome": line.told.value,
            "words": line.words,
            "study": keys.get(line.study),
        }
        for line in lines
    ]
