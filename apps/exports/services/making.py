"""Makes waiting exports. No transaction is open while it writes."""

import functools
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from apps.audit.leasing import Claim, ClaimLost
from apps.dicom.rendering.options import JPEG, PNG
from apps.dicom.workshop import BusyError
from apps.exports.members import Member, zipped
from apps.exports.models import Export, HeldObject, Profile
from apps.exports.services.anonymising import Outcome, anonymised_members, chosen_options
from apps.exports.services.discs import burn
from apps.exports.services.filming import film_of, frames_wanted
from apps.exports.services.gathering import instance_keys, placed
from apps.exports.services.looking import suspects
from apps.exports.services.packing import dicom_members
from apps.exports.services.pictures import PortablePages, picture_members
from apps.exports.services.refusals import NoRoom, NotMade
from apps.exports.services.room import exports_folder, require_export_room
from apps.exports.services.working import (
    claim_next,
    note_done,
    note_failed,
    note_held,
    note_progress,
)

log = logging.getLogger(__name__)
ROUND = 100  # exports made in one go
TELL_SECONDS = 1.0
ROOM_BYTES = 64 << 20  # between two looks at the disk
KEPT_WITHOUT_WORK = 3600.0  # seconds after which an unfinished file is somebody's no more
PART = ".part"


def make_due() -> int:
    """Make the exports that wait, the oldest first; returns how many were tried.

    One at a time in a process: exports are large, and others wait for its threads.
    """
    if not _turn().acquire(blocking=False):
        return 0
    try:
        for tried in range(ROUND):
            claim = claim_next()
            if claim is None:
                return tried
            _attempt(claim)
        return ROUND
    finally:
        _turn().release()


def forget_strays() -> None:
    """Delete what workers that died have left: unfinished files, and finished ones no row has."""
    long_ago = time.time() - KEPT_WITHOUT_WORK
    known = set(Export.objects.exclude(file_name="").values_list("file_name", flat=True))
    for path in exports_folder().iterdir():
        if path.name in known or path.stat().st_mtime > long_ago:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@functools.cache
def _turn() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(1)


class Progress:
    """Counts objects, keeps the lease alive, looks at the disk now and then."""

    def __init__(self, claim: Claim[Export], total: int) -> None:
        self._claim, self._total = claim, total
        self._done = self._unlooked = 0
        self._told_at = time.monotonic()
        note_progress(claim, done=0, total=total)

    def one_done(self) -> None:
        self._done += 1
        self.alive()

    def written(self, size: int) -> None:
        """So many bytes more; raises NoRoom, ClaimLost."""
        self._unlooked += size
        if self._unlooked > ROOM_BYTES:
            self._unlooked = 0
            require_export_room()
        self.alive()

    def alive(self) -> None:
        """Say how far it is, once a second at most; raises ClaimLost."""
        if time.monotonic() - self._told_at > TELL_SECONDS:
            note_progress(self._claim, done=self._done, total=self._total)
            self._told_at = time.monotonic()

    def watch(self, members: Iterable[Member]) -> Iterator[Member]:
        """The same members; each object is counted when its last byte was taken."""
        for member in members:
            self.alive()
            yield replace(member, chunks=functools.partial(self._watched, member))

    def _watched(self, member: Member) -> Iterator[bytes]:
        for chunk in member.chunks():
            self.written(len(chunk))
            yield chunk
        if is_object(member):
            self.one_done()


def is_object(member: Member) -> bool:
    """Is it one of the DICOM files, by its name?"""
    return member.name.startswith("DICOM/")


def _attempt(claim: Claim[Export]) -> None:
    try:
        _make(claim)
    except ClaimLost:
        log.warning("Export %s was taken away while it was made", claim.row.pk)
    except (NoRoom, NotMade, OSError, BusyError) as error:
        _give_up(claim, error)
    except Exception as error:  # ours: told to who waits, and to who reads the log
        _give_up(claim, error)
        raise


def _give_up(claim: Claim[Export], error: Exception) -> None:
    log.warning("Export %s failed: %s", claim.row.pk, type(error).__name__)
    told = isinstance(error, NoRoom | NotMade)
    reason = str(error) if told else _("A file could not be read or written.")
    try:
        note_failed(claim, reason=reason)
    except ClaimLost:
        log.warning("Export %s was taken away before it failed", claim.row.pk)


def _make(claim: Claim[Export]) -> None:
    export = claim.row
    if export.kind == Export.Kind.FILM:
        _make_film(claim)
        return
    keys = instance_keys(export.studies.values_list("pk", flat=True))
    if not keys:
        raise NotMade(_("These studies have no images any more."))
    # A disc is gone through twice: first for the sizes, then for the bytes.
    passes = 2 if export.kind == Export.Kind.DISC else 1
    progress = Progress(claim, passes * len(keys))
    if export.kind == Export.Kind.ANONYMISED and export.released_at is None:
        note_held(claim, _held(export, keys, progress))
        return
    part = exports_folder() / f"{export.pk}-{claim.token}{PART}"
    try:
        outcome = _write(export, keys, part, progress)
        _finish(claim, part, outcome, len(keys))
    finally:
        part.unlink(missing_ok=True)


def _make_film(claim: Claim[Export]) -> None:
    frames = frames_wanted(claim.row)
    progress = Progress(claim, len(frames))
    part = exports_folder() / f"{claim.row.pk}-{claim.token}{PART}"
    try:
        with part.open("wb") as target:
            target.write(film_of(claim.row, frames, progress.one_done))
            target.flush()
            os.fsync(target.fileno())
        _finish(claim, part, Outcome(), len(frames))
    finally:
        part.unlink(missing_ok=True)


def _held(export: Export, keys: Sequence[int], progress: Progress) -> list[HeldObject]:
    held = []
    for row, reason in suspects(placed(keys), chosen_options(_profile(export))):
        progress.one_done()
        if reason:
            held.append(HeldObject(export=export, instance=row, reason=reason))
    return held


def _write(export: Export, keys: Sequence[int], part: Path, progress: Progress) -> Outcome:
    outcome = Outcome()
    with part.open("wb") as target:
        if export.kind == Export.Kind.DISC:
            with tempfile.TemporaryDirectory(dir=part.parent, suffix=PART) as folder:
                members = _staged(_with_pictures(export, keys), Path(folder), progress)
                burn(progress.watch(members), target)
        else:
            members = progress.watch(_members(export, keys, outcome, progress))
            for piece in zipped(members, deflate=True):
                target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    return outcome


def _members(
    export: Export, keys: Sequence[int], outcome: Outcome, progress: Progress
) -> Iterator[Member]:
    if export.kind == Export.Kind.ANONYMISED:
        return anonymised_members(export, _profile(export), keys, outcome)
    if export.kind == Export.Kind.PICTURES:
        png = export.options.get("pictures") == "png"
        return picture_members(keys, media_type=PNG if png else JPEG, on_object=progress.one_done)
    return _with_pictures(export, keys)


def _profile(export: Export) -> Profile:
    if export.profile is None:  # the database sees to it that there is one
        raise NotMade(_("Choose a profile for the anonymised export."))
    return export.profile


def _with_pictures(export: Export, keys: Sequence[int]) -> Iterator[Member]:
    """The objects, and where it was asked for the page that shows them on any PC."""
    if not export.options.get("viewer"):
        yield from dicom_members(keys)
        return
    pages = PortablePages()
    more = _("To look at pictures of them in a browser, open the file INDEX.HTM.")
    yield from dicom_members(keys, beside=pages.pictures_of, more=more)
    yield from pages.pages()


def _staged(members: Iterable[Member], folder: Path, progress: Progress) -> Iterator[Member]:
    """Members of which none holds its bytes: pictures are laid into a folder meanwhile."""
    for number, member in enumerate(members):
        if not member.name.startswith("VIEWER/"):
            if is_object(member):
                progress.one_done()
            yield member
            continue
        path = folder / str(number)
        path.write_bytes(b"".join(member.chunks()))
        yield replace(member, chunks=functools.partial(_bytes_of, path))


def _bytes_of(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()


def _finish(claim: Claim[Export], part: Path, outcome: Outcome, objects: int) -> None:
    """Into its place first, then into the row: a file without a row is found and deleted."""
    export = claim.row
    name = f"{export.pk}-{secrets.token_hex(16)}.{export.ending}"
    place = part.with_name(name)
    size = part.stat().st_size
    part.rename(place)
    try:
        note_done(
            claim,
            file_name=name,
            size=size,
            objects=objects,
            left_out=outcome.left_out,
            codes=outcome.pseudonyms(export),
        )
    except ClaimLost:
        place.unlink(missing_ok=True)
        raise
