"""Deciding about an object that came under a known UID."""

from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.amending import Amendment, Change, amend
from apps.dicom.deflated import Whole
from apps.dicom.header import Header, explicit, read_header
from apps.dicom.uids import derived_uid
from apps.studies.models import Conflict
from apps.studies.services.incoming import opened
from apps.studies.services.rewriting import CHUNK, StoredObject, rewritten
from apps.studies.services.storing import Outcome, store_instances
from apps.studies.spool import default_spool
from apps.studies.storage import stored_files

_META = 132  # preamble and `DICM`


class SettledAlreadyError(LookupError):
    """Somebody decided in the meantime."""

    message = _("This conflict was decided already.")


class NotStorableError(ValueError):
    """The newcomer cannot be stored under another UID; the message says why."""


def drop_newcomer(conflict: Conflict, *, reason: str, origin: Origin) -> None:
    """Keep to the first one. The newcomer's file stays where it is, out of every list."""
    _settle(conflict, Conflict.State.DROPPED, reason=reason, origin=origin)


def store_newcomer(conflict: Conflict, *, reason: str, origin: Origin) -> None:
    """Store the newcomer too, under UIDs of its own; says so in its Original Attributes.

    The UIDs are derived from its content, so that doing it twice stores one object.
    Raises SettledAlreadyError, NotStorableError, OSError.
    """
    if conflict.state != Conflict.State.OPEN:
        raise SettledAlreadyError(SettledAlreadyError.message)
    path = default_spool().write(_renamed(conflict))
    (result,) = store_instances([path], origin=origin)
    if result.outcome not in {Outcome.STORED, Outcome.DUPLICATE}:
        raise NotStorableError(result.reason)
    _settle(
        conflict,
        Conflict.State.STORED,
        reason=reason,
        origin=origin,
        stored_as=result.sop_instance_uid,
    )


def _settle(
    conflict: Conflict, state: Conflict.State, *, reason: str, origin: Origin, stored_as: str = ""
) -> None:
    with transaction.atomic():
        row = Conflict.objects.select_for_update().get(pk=conflict.pk)
        if row.state != Conflict.State.OPEN:
            raise SettledAlreadyError(SettledAlreadyError.message)
        row.state, row.decision, row.stored_as = state, reason[:200], stored_as
        row.settled_at, row.settled_by = timezone.now(), origin.user
        row.save()
        record(
            Kind.CONFLICT_SETTLED,
            row,
            origin=origin,
            study_instance_uid=row.study_instance_uid,
            details={"state": state.value, "reason": reason[:200], "stored_as": stored_as},
        )


def _renamed(conflict: Conflict) -> Iterator[bytes]:
    """The newcomer as a PS3.10 file with UIDs of its own."""
    with stored_files().at_hand(conflict.file_name) as path, opened(path) as whole:
        yield from _pieces(conflict, whole)


def _pieces(conflict: Conflict, whole: Whole) -> Iterator[bytes]:
    header = read_header(whole)
    changes = _new_uids(conflict, header)
    amendment = Amendment(changes, timezone.now(), "COERCE", conflict.source)
    explicit_vr = explicit(header.transfer_syntax_uid)
    stored = StoredObject(
        conflict.file_name,
        header.dataset_offset,
        len(whole),
        header.transfer_syntax_uid,
        header.data,
        {tag: length for tag, _vr, _offset, length in header.bulk},
    )
    pieces = rewritten(stored, amend(header.data, [amendment], explicit_vr=explicit_vr)) or []
    yield _front(bytes(whole[: header.dataset_offset]), changes[0])
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        begin, end = piece[0], sum(piece)
        for start in range(begin, end, CHUNK):
            yield bytes(whole[start : min(start + CHUNK, end)])


def _new_uids(conflict: Conflict, header: Header) -> tuple[Change, ...]:
    series, study = header.text(0x0020000E), header.text(0x0020000D)
    own = derived_uid(f"instance {conflict.sop_instance_uid} {conflict.sha256}")
    changes = [Change("00080018", "UI", [own])]
    if conflict.instance_id is None:  # its series belongs to another study
        changes.append(Change("0020000E", "UI", [derived_uid(f"series {series} of {study}")]))
    return tuple(changes)


def _front(front: bytes, change: Change) -> bytes:
    """Preamble and file meta information, for the new SOP Instance UID."""
    meta = dcmread(DicomBytesIO(front)).file_meta
    meta.MediaStorageSOPInstanceUID = (change.values or [""])[0]
    target = DicomBytesIO()
    write_file_meta_info(target, meta)
    return front[:_META] + target.getvalue()
