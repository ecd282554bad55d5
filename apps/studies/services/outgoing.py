"""Instances on their way out: the stored bytes, with what was corrected since.

Every way out asks here (query, retrieve, DICOMweb, export), so that a correction is seen
everywhere or nowhere. An instance without corrections is passed on byte for byte; one with
them gets another header in front of the very same pixel data.
"""

import logging
import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass

import zstandard

from apps.dicom.amending import amend
from apps.dicom.deflated import DamagedError
from apps.dicom.header import WalkError, elements, explicit
from apps.dicom.json import JsonDataset, to_json
from apps.studies.models import Instance
from apps.studies.services.overlaying import amendments_of
from apps.studies.services.rewriting import CHUNK, Piece, StoredObject, rewritten
from apps.studies.storage import StorageError, stored_files

log = logging.getLogger(__name__)
_FRONT = 144  # preamble, `DICM` and the group length element: the meta information follows
_LONGEST_META = 1 << 16


@dataclass(frozen=True)
class Outgoing:
    """One instance as it is to be sent: its data set, without preamble and file meta.

    `pieces` gives the data set in order, in `transfer_syntax_uid`; `size` is its length.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def outgoing(instance: Instance) -> Outgoing:
    """The data set of an instance to be sent; raises OSError where its file is damaged."""
    start = _dataset_offset(instance.file_name)
    made = _corrected(instance, start) if instance.overlay else None
    pieces = made or [(start, instance.size - start)]
    name = instance.file_name
    return Outgoing(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        size=sum(_length(piece) for piece in pieces),
        pieces=lambda: _read(name, pieces),
    )


def outgoing_file(instance: Instance) -> tuple[int, Callable[[], Iterator[bytes]]]:
    """The whole PS3.10 file as it is to be sent: its length, and its bytes in order."""
    name = instance.file_name  # not the row: many files wait for their turn at once
    pieces: list[Piece] = [(0, instance.size)]
    if instance.overlay:
        start = _dataset_offset(name)
        if made := _corrected(instance, start):
            pieces = [(0, start), *made]
    return sum(_length(piece) for piece in pieces), lambda: _read(name, pieces)


def header_json(
    instance: Instance, bulk_uri: Callable[[str], str], only: Container[int] | None = None
) -> JsonDataset:
    """The attributes of an instance as DICOM JSON, without its pixel data.

    `bulk_uri(path)` gives the address of a value that is left out for its size; `only` the
    tags that are wanted, where that is not all.
    """
    return _json(instance, corrected_header, bulk_uri, only)


def sent_json(instance: Instance, bulk_uri: Callable[[str], str]) -> JsonDataset:
    """The attributes of an instance as they came, whatever was corrected since."""
    return _json(instance, lambda one: zstandard.decompress(one.header), bulk_uri)


def _json(
    instance: Instance,
    header: Callable[[Instance], bytes],
    bulk_uri: Callable[[str], str],
    only: Container[int] | None = None,
) -> JsonDataset:
    try:
        return to_json(
            header(instance),
            explicit_vr=explicit(instance.transfer_syntax_uid),
            bulk_uri=bulk_uri,
            bulk_tags={tag: vr for tag, vr, _, _ in instance.bulk_table},
            only=only,
        )
    except (WalkError, struct.error):
        # Damaged below the top level: one bad image must not hide its series.
        log.warning("The header of %s cannot be read whole", instance.sop_instance_uid)
        return {
            "00080016": {"vr": "UI", "Value": [instance.sop_class_uid]},
            "00080018": {"vr": "UI", "Value": [instance.sop_instance_uid]},
        }


def file_meta(instance: Instance) -> bytes:
    """The File Meta Information of the stored file (PS3.10 7.1), explicit little endian."""
    start = _dataset_offset(instance.file_name)
    return stored_files().read(instance.file_name, 132, start - 132)


def corrected_header(instance: Instance, data: bytes | None = None) -> bytes:
    """The header of an instance as kept in its row (`data`, if at hand), corrections made."""
    if data is None:
        data = zstandard.decompress(instance.header)
    if not instance.overlay:
        return data
    explicit_vr = explicit(instance.transfer_syntax_uid)
    return amend(data, amendments_of(instance), explicit_vr=explicit_vr)


def _corrected(instance: Instance, start: int) -> list[Piece] | None:
    """The data set in pieces; None where the file says what the corrections say."""
    if missing := instance.get_deferred_fields() & {"header", "bulk_table"}:
        instance.refresh_from_db(fields=sorted(missing))
    stored = StoredObject(
        instance.file_name,
        start,
        instance.size,
        instance.transfer_syntax_uid,
        zstandard.decompress(instance.header),
        {tag: length for tag, _, _, length in instance.bulk_table},
    )
    try:
        return rewritten(stored, corrected_header(instance))
    except (WalkError, DamagedError, struct.error) as error:
        # Not sent at all rather than sent as somebody else's.
        raise StorageError("the header cannot be corrected") from error


def _dataset_offset(name: str) -> int:
    files = stored_files()
    front = files.read(name, 0, _FRONT)
    if front[128:140] == b"DICM\x02\0\0\0UL\x04\0":
        return _FRONT + int.from_bytes(front[140:144], "little")
    if front[128:132] != b"DICM":
        raise OSError("no file meta information where it should be")
    return _behind_meta(files.read(name, 0, min(files.size(name), _LONGEST_META)))


def _behind_meta(front: bytes) -> int:
    """For files whose meta information does not say how long it is."""
    end = 132
    try:
        for element in elements(front, end, len(front), explicit_vr=True):
            if element.tag >> 16 != 2:
                break
            end = element.offset + element.length
    except (WalkError, struct.error):
        pass  # behind the meta information the VR form may change
    return end


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1]


def _read(name: str, pieces: list[Piece]) -> Iterator[bytes]:
    files = stored_files()
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        offset, length = piece
        for start in range(offset, offset + length, CHUNK):
            yield files.read(name, start, min(CHUNK, offset + length - start))
