"""The front of a DICOM file as we write it, and the first look at a data set."""

import struct
from collections.abc import Iterator
from typing import Literal

from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from apps.dicom.deflated import DamagedError, Inflater
from apps.dicom.header import DEFLATED
from apps.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION

PREAMBLE = b"\0" * 128 + b"DICM"
SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
ENOUGH = 4096  # bytes in which the SOP Instance UID is found, in every file seen
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def file_meta(*, sop_class: str, sop_instance: str, transfer_syntax: str, source: str) -> bytes:
    """Preamble and File Meta Information (PS3.10 7.1); `source`: AE title of the sender, if any."""
    body = b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01" + b"".join(
        (
            _short(0x0002, b"UI", sop_class),
            _short(0x0003, b"UI", sop_instance),
            _short(0x0010, b"UI", transfer_syntax),
            _short(0x0012, b"UI", IMPLEMENTATION_UID),
            _short(0x0013, b"SH", IMPLEMENTATION_VERSION),
            *([_short(0x0016, b"AE", source)] if source else []),
        )
    )
    return PREAMBLE + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(body)) + body


def leading_uids(head: bytes, transfer_syntax: str) -> tuple[str, str] | None:
    """SOP Class and Instance UID at the front of a data set; None where not readable there."""
    if transfer_syntax in DEFLATED:
        head = _inflated(head)
    # Some senders announce explicit VR (a compressed image) and write implicit VR.
    return _uids(head, transfer_syntax) or _uids(head, ImplicitVRLittleEndian)


def begins_as_data_set(head: bytes, transfer_syntax: str) -> bool:
    """May the tag at the front be one of a data set? Group 0 and those above 7FE0 may not."""
    if transfer_syntax in DEFLATED:
        head = _inflated(head)
    order: Literal["big", "little"] = "big" if transfer_syntax == ExplicitVRBigEndian else "little"
    return len(head) >= 8 and 0 < int.from_bytes(head[:2], order) <= 0x7FE0


def _uids(head: bytes, transfer_syntax: str) -> tuple[str, str] | None:
    found: dict[int, str] = {}
    for tag, value in _elements(head, transfer_syntax):
        if tag in (SOP_CLASS, SOP_INSTANCE):
            found[tag] = value.decode("ascii", "replace").strip("\0 ")
        if tag >= SOP_INSTANCE:
            break
    if len(found) != 2:
        return None
    return found[SOP_CLASS], found[SOP_INSTANCE]


def _inflated(head: bytes) -> bytes:
    """As much of a deflated head as is looked at, and no more."""
    inflater = Inflater(head, 0)
    try:
        inflater.up_to(ENOUGH)
    except DamagedError:
        return b""
    return bytes(inflater.data)


def _elements(head: bytes, transfer_syntax: str) -> Iterator[tuple[int, bytes]]:
    order = ">" if transfer_syntax == ExplicitVRBigEndian else "<"
    implicit = transfer_syntax == ImplicitVRLittleEndian
    position = 0
    while position + 12 <= len(head):
        group, element = struct.unpack_from(f"{order}HH", head, position)
        start, length = _value_at(head, position, order, implicit=implicit)
        if length == 0xFFFFFFFF or start + length > len(head):
            return
        yield group << 16 | element, head[start : start + length]
        position = start + length


def _value_at(head: bytes, position: int, order: str, *, implicit: bool) -> tuple[int, int]:
    """Where the value begins, and its length."""
    if implicit:
        return position + 8, struct.unpack_from(f"{order}L", head, position + 4)[0]
    if head[position + 4 : position + 6] in _LONG:
        return position + 12, struct.unpack_from(f"{order}L", head, position + 8)[0]
    return position + 8, struct.unpack_from(f"{order}H", head, position + 6)[0]


def _short(element: int, vr: bytes, text: str) -> bytes:
    raw = text.encode("ascii", "replace")
    raw += (b"\0" if vr == b"UI" else b" ") * (len(raw) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(raw)) + raw
