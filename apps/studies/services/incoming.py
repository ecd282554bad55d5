"""Reading a spool file into what the index keeps of it. No database in here."""

import functools
import hashlib
import mmap
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import zstandard

from apps.dicom.dates import parse_date, parse_time, partial_da
from apps.dicom.deflated import Whole
from apps.dicom.frames import frame_table, is_cut_off
from apps.dicom.header import Header, UnreadableError, read_header
from apps.dicom.sop_classes import is_storable
from apps.dicom.uids import LONGEST_SENT, derived_uid, valid_uid

_READ_WHOLE = 16 << 20  # bytes; larger files are mapped
_TIFF = (b"II*\0", b"MM\0*")
_EMPTY = bytes(128)
COMPRESSION_LEVEL = 1


class Flaw(StrEnum):
    """What is borne with from a device and may be refused to others."""

    NO_STUDY = "Study Instance UID is missing"
    NO_SERIES = "Series Instance UID is missing"
    NOT_STORABLE = "its SOP class is none that is stored"
    CONTRADICTION = "its SOP class is not the one that the file announces"


@dataclass(frozen=True)
class Incoming:
    """One readable spool file and everything its rows will say."""

    path: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    study: Mapping[str, Any]
    series: Mapping[str, Any]
    instance: dict[str, Any]
    modality: str
    size: int
    sha256: str
    content_offset: int  # of the data set, behind preamble and file meta
    flaws: frozenset[Flaw] = frozenset()


def read_incoming(path: Path) -> Incoming:
    """Read one PS3.10 file; raises UnreadableError with a reason in plain words, OSError."""
    with opened(path) as buffer:
        if not _is_harmless(buffer):
            _blank_preamble(path)
            return read_incoming(path)
        header = read_header(buffer)
        _refuse_nameless(header)
        if is_cut_off(buffer, header):
            raise UnreadableError("cut off: the file ends within its pixel data")
        digest = hashlib.sha256(buffer).hexdigest()
        return _incoming(path, buffer, header, digest)


@contextmanager
def opened(path: Path) -> Iterator[Whole]:
    """The bytes of a file: read if small, mapped if large."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= _READ_WHOLE:
            yield file.read(size)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


def content_digest(buffer: Whole, offset: int) -> str:
    """SHA-256 of the data set alone: the same for two senders of the same object."""
    with memoryview(buffer) as view:
        return hashlib.sha256(view[offset:]).hexdigest()


def _is_harmless(buffer: Whole) -> bool:
    """A preamble can make an image an executable (CVE-2019-11687); only TIFF's is of use."""
    preamble = buffer[:128]
    return preamble == _EMPTY or preamble[:4] in _TIFF or buffer[128:132] != b"DICM"


def _blank_preamble(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(handle, _EMPTY, 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_nameless(header: Header) -> None:
    for tag, name in ((0x00080016, "SOP Class UID"), (0x00080018, "SOP Instance UID")):
        if not valid_uid(header.text(tag), longest=LONGEST_SENT):
            raise UnreadableError(f"{name} is missing or no UID")
    for tag, name, longest in (
        (0x0020000D, "Study Instance UID", 64),
        (0x0020000E, "Series Instance UID", LONGEST_SENT),
    ):
        if header.text(tag) and not valid_uid(header.text(tag), longest=longest):
            raise UnreadableError(f"{name} is no UID")


def _flaws(header: Header) -> Iterator[Flaw]:
    sop_class = header.text(0x00080016)
    if not header.text(0x0020000D):
        yield Flaw.NO_STUDY
    if not header.text(0x0020000E):
        yield Flaw.NO_SERIES
    if not is_storable(sop_class):
        yield Flaw.NOT_STORABLE
    if header.media_class not in ("", sop_class):
        yield Flaw.CONTRADICTION


def _incoming(path: Path, buffer: Whole, header: Header, digest: str) -> Incoming:
    sop_instance_uid = header.text(0x00080018)
    study, series = header.text(0x0020000D), header.text(0x0020000E)
    return Incoming(
        path=path,
        # Palettes, hanging protocols and badly exported images have no study: each gets one.
        study_instance_uid=study or derived_uid(f"study {sop_instance_uid}"),
        series_instance_uid=series or derived_uid(f"series {sop_instance_uid}"),
        sop_instance_uid=sop_instance_uid,
        study=_study_columns(header.character_set, *_raw(header, _STUDY_TAGS)),
        series=_series_columns(header.character_set, *_raw(header, _SERIES_TAGS)),
        instance=_instance_columns(buffer, header),
        modality=header.text(0x00080060)[:16],
        size=len(buffer),
        sha256=digest,
        content_offset=header.dataset_offset,
        flaws=frozenset(_flaws(header)),
    )


_STUDY_TAGS = (
    *(0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00080020, 0x00080030),
    *(0x00080050, 0x00200010, 0x00081030, 0x00080090, 0x00080201),
)
_SERIES_TAGS = (
    *(0x00080060, 0x00200011, 0x0008103E, 0x00180015, 0x00200060, 0x00181030, 0x00081010),
    *(0x00080021, 0x00080031, 0x00400244, 0x00400245),
)


def _raw(header: Header, tags: tuple[int, ...]) -> list[bytes]:
    values = header.values
    return [values.get(tag, b"") for tag in tags]


# Images of one series say the same about it: read once, not two hundred times.
@functools.lru_cache(maxsize=256)
def _study_columns(character_set: str, *raw: bytes) -> Mapping[str, Any]:
    header = _header_of(character_set, _STUDY_TAGS, raw)
    return MappingProxyType(
        {
            "patient_name": header.text(0x00100010)[:324],
            "patient_identifier": header.text(0x00100020)[:64],
            "patient_identifier_issuer": header.text(0x00100021)[:64],
            "patient_birth_date": partial_da(header.text(0x00100030)),
            "patient_sex": header.text(0x00100040)[:16],
            "study_date": parse_date(header.text(0x00080020)),
            "study_time": parse_time(header.text(0x00080030)),
            "accession_number": header.text(0x00080050)[:64],
            "study_id": header.text(0x00200010)[:64],
            "description": header.text(0x00081030)[:128],
            "referring_physician": header.text(0x00080090)[:324],
            "time_zone": header.text(0x00080201)[:16],
        }
    )


@functools.lru_cache(maxsize=256)
def _series_columns(character_set: str, *raw: bytes) -> Mapping[str, Any]:
    header = _header_of(character_set, _SERIES_TAGS, raw)
    return MappingProxyType(
        {
            "modality": header.text(0x00080060)[:16],
            "number": _bounded(header.integer(0x00200011)),
            "description": header.text(0x0008103E)[:128],
            "body_part": header.text(0x00180015)[:64],
            "laterality": header.text(0x00200060)[:16],
            "protocol_name": header.text(0x00181030)[:128],
            "station_name": header.text(0x00081010)[:64],
            "series_date": parse_date(header.text(0x00080021)),
            "series_time": parse_time(header.text(0x00080031)),
            "performed_step_start": (header.text(0x00400244) + header.text(0x00400245))[:32],
        }
    )


def _header_of(character_set: str, tags: tuple[int, ...], raw: tuple[bytes, ...]) -> Header:
    values = dict(zip(tags, raw, strict=True))
    return Header("", "", 0, {**values, 0x00080005: character_set.encode("ascii", "replace")})


def _instance_columns(buffer: Whole, header: Header) -> dict[str, Any]:
    return {
        "sop_class_uid": header.text(0x00080016),
        "transfer_syntax_uid": header.transfer_syntax_uid[:64],
        "number": _bounded(header.integer(0x00200013)),
        "rows": header.integer(0x00280010),
        "columns": header.integer(0x00280011),
        "bits_allocated": header.integer(0x00280100),
        "frames": min(max(header.integer(0x00280008) or 1, 1), 2**31 - 1),
        "header": _compressor().compress(header.data),
        "frame_table": frame_table(buffer, header),
        "bulk_table": [list(entry) for entry in header.bulk],
        "pixel_vr": header.pixel_vr,
        "source": header.source[:64],
    }


def _compressor() -> zstandard.ZstdCompressor:
    """One for each thread: making one costs as much as a header does."""
    if not hasattr(_own, "compressor"):
        _own.compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
    made: zstandard.ZstdCompressor = _own.compressor
    return made


_own = threading.local()


def _bounded(number: int | None) -> int | None:
    return number if number is not None and abs(number) < 2**31 else None
