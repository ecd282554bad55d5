"""Pixels and documents of a STOW-RS request as elements of a data set (PS3.5 A.4)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.dicom.codestreams import (
    EXPLICIT_LITTLE,
    HEAD_BYTES,
    RLE,
    Codestream,
    CodestreamError,
    read_codestream,
    video_syntax,
)
from apps.dicom.json import JsonDataset
from apps.dicom.uids import valid_uid

CHUNK = 1 << 20
OCTETS = "application/octet-stream"
# Media types of pixels, and what is no pixel at all (PS3.18 table 8.7.3-4 and -5).
_IMAGES = frozenset(
    {"image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/j2c", "image/jphc", "image/jph"}
)
_VIDEOS = frozenset({"video/mp4", "video/mpeg", "video/mpeg2", "video/mpeg4", "video/h265"})
_LONGEST = 0xFFFFFFFE
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


class Mismatch(ValueError):
    """Metadata and bulk data cannot both be right; the message says where."""


@dataclass(frozen=True)
class Bulk:
    """One part of the request, on the disk: its bytes and what its header said of them."""

    path: Path
    media_type: str
    transfer_syntax: str
    size: int

    def head(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(HEAD_BYTES)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk

    def element(self, tag: int) -> Iterator[bytes]:
        """The value of an OB element of known length, padded (PS3.5 7.1.2)."""
        length = self.size + self.size % 2
        yield struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"OB", 0, length)
        yield from self.chunks()
        yield b"\0" * (self.size % 2)


@dataclass(frozen=True)
class PixelBulk:
    """Pixel data in one or more parts, a frame in each unless they are native."""

    parts: Sequence[Bulk]
    transfer_syntax_uid: str
    vr: bytes
    codestream: Codestream | None = None

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def element(self, tag: int) -> Iterator[bytes]:
        if self.transfer_syntax_uid == EXPLICIT_LITTLE:
            length = self.size + self.size % 2
            yield struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, self.vr, 0, length)
            for part in self.parts:
                yield from part.chunks()
            yield b"\0" * (self.size % 2)
            return
        yield struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"OB", 0, 0xFFFFFFFF)
        yield _ITEM + bytes(4)  # no offsets: a fragment is a frame
        for part in self.parts:
            yield from _fragment(part, self.codestream.start if self.codestream else 0)
        yield _SEQUENCE_END


def pixel_bulk(parts: Sequence[Bulk], dataset: JsonDataset) -> PixelBulk:
    """What the parts of pixel data are; raises Mismatch."""
    first = parts[0]
    if any(part.size > _LONGEST or part.media_type != first.media_type for part in parts):
        raise Mismatch("pixel data of different kinds, or too long for an element")
    if first.media_type == OCTETS:
        return _native(parts, dataset)
    if first.media_type in _VIDEOS:
        return _video(parts)
    return _frames(parts, dataset)


def _native(parts: Sequence[Bulk], dataset: JsonDataset) -> PixelBulk:
    if parts[0].transfer_syntax not in ("", EXPLICIT_LITTLE):
        raise Mismatch("pixels as octets are taken in Explicit VR Little Endian only")
    wide = _number(dataset, "00280100") > 8
    return PixelBulk(parts, EXPLICIT_LITTLE, b"OW" if wide else b"OB")


def _video(parts: Sequence[Bulk]) -> PixelBulk:
    if len(parts) != 1:
        raise Mismatch("a video in several parts")
    (one,) = parts
    syntax = one.transfer_syntax or video_syntax(one.media_type, one.head())
    return PixelBulk(parts, _checked(syntax), b"OB")


def _frames(parts: Sequence[Bulk], dataset: JsonDataset) -> PixelBulk:
    media_type = parts[0].media_type
    if len(parts) != max(_number(dataset, "00280008"), 1):
        raise Mismatch("as many parts of pixel data as frames are needed")
    if media_type == "image/dicom-rle":
        return PixelBulk(parts, RLE, b"OB")
    if media_type not in _IMAGES:
        raise Mismatch(f"no pixel data are {media_type}")
    try:
        found = [read_codestream(media_type, part.head()) for part in parts]
    except CodestreamError as error:
        raise Mismatch(str(error)) from None
    if len(set(found)) != 1:
        raise Mismatch("frames that differ in size or kind")
    return PixelBulk(parts, found[0].transfer_syntax_uid, b"OB", found[0])


def described(dataset: JsonDataset, bulk: PixelBulk) -> None:
    """Fill in what the compressed image says of itself; raises Mismatch where that differs.

    PS3.18 10.5.2: the attributes of the Image Pixel Description macro may be left out.
    """
    found = bulk.codestream
    if found is None:
        return
    allocated = 8 if found.bits <= 8 else 16
    fixed = {"00280010": found.rows, "00280011": found.columns, "00280002": found.samples}
    for tag, number in fixed.items():
        if _number(dataset, tag) not in (0, number):
            raise Mismatch(f"the image says {number} in {tag}, the metadata something else")
    usual: dict[str, tuple[str, Any]] = {
        **{tag: ("US", number) for tag, number in fixed.items()},
        "00280004": ("CS", found.photometric),
        "00280100": ("US", allocated),
        "00280101": ("US", found.bits),
        "00280102": ("US", found.bits - 1),
        "00280103": ("US", int(found.signed)),
    }
    if found.samples > 1:
        usual["00280006"] = ("US", 0)
    if method := _LOSSY.get(bulk.transfer_syntax_uid):
        plain = found.rows * found.columns * found.samples * allocated // 8 * len(bulk.parts)
        usual["00282110"] = ("CS", "01")
        usual["00282112"] = ("DS", round(plain / max(bulk.size, 1), 2))
        usual["00282114"] = ("CS", method)
    for tag, (vr, value) in usual.items():
        if not dataset.get(tag, {}).get("Value"):
            dataset[tag] = {"vr": vr, "Value": [value]}


def document_attributes(dataset: JsonDataset, document: Bulk) -> None:
    """What an encapsulated document says of itself (PS3.3 C.24.2)."""
    if document.size > _LONGEST:
        raise Mismatch("the document is too long for an element")
    if document.media_type == "application/pdf" and not document.head().startswith(b"%PDF-"):
        raise Mismatch("no PDF: it does not begin with its mark")
    dataset.setdefault("00420012", {"vr": "LO", "Value": [document.media_type]})
    dataset["00420015"] = {"vr": "UL", "Value": [document.size]}


def _fragment(part: Bulk, start: int) -> Iterator[bytes]:
    length = part.size - start
    yield _ITEM + struct.pack("<L", length + length % 2)
    yield from part.chunks(start)
    yield b"\0" * (length % 2)


def _checked(syntax: str) -> str:
    if not valid_uid(syntax) or not syntax.startswith("1.2.840.10008.1.2."):
        raise Mismatch("a transfer syntax that is none")
    return syntax


def _number(dataset: JsonDataset, tag: str) -> int:
    values = dataset.get(tag, {}).get("Value") or [0]
    try:
        return int(values[0] or 0)
    except (TypeError, ValueError):
        raise Mismatch(f"{tag} is no number") from None
