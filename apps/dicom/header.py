"""Walking the header of a DICOM file without building a dataset (PS3.5 section 7, PS3.10).

Our own walk reads little-endian files, explicit or implicit; what it cannot read is
given to pydicom once more before anybody calls a file unreadable. Either way the answer
is a `Header`: raw values of the top level and the bytes up to the pixel data.
"""

import functools
import io
import struct
import warnings
from dataclasses import dataclass, field

from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from apps.dicom.charsets import decode
from apps.dicom.deflated import DamagedError, Whole, inflated_fronts
from apps.dicom.encoding import reencoded, syntax_of
from apps.dicom.walking import (
    EXPLICIT_HEAD,
    IMPLICIT_HEAD,
    ITEM,
    LONG_LENGTH,
    LONG_VRS,
    MAX_DEPTH,
    SEQUENCE_END,
    UNDEFINED,
    CutOffError,
    Element,
    UnreadableError,
    WalkError,
    behind,
    element_at,
    elements,
    inside,
    items,
    spans,
)

__all__ = [
    "BULK_BYTES",
    "DEFLATED",
    "DEFLATED_LITTLE",
    "EXPLICIT_BIG",
    "EXPLICIT_LITTLE",
    "IMPLICIT_LITTLE",
    "ITEM",
    "MAX_DEPTH",
    "NATIVE",
    "NOT_IN_FILE",
    "PIXEL_TAGS",
    "SEQUENCE_END",
    "UNDEFINED",
    "CutOffError",
    "Element",
    "Header",
    "UnreadableError",
    "WalkError",
    "elements",
    "explicit",
    "inside",
    "items",
    "read_header",
    "spans",
]

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
# With JPIP the pixels are elsewhere, and what is here is deflated too (PS3.5 A.7).
DEFLATED = frozenset({DEFLATED_LITTLE, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE})

# Float, double float and integer pixel data: a header ends where one of them begins.
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# Top-level values above this are left in the file and listed as bulk data.
BULK_BYTES = 32 * 1024
NOT_IN_FILE = -1  # offset of a bulk value that has to be decoded out of the file
_BULK_VRS = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN", b"UT"})
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_PIXEL_GROUP = 0x7FE0
_BIG_PIXELS = b"\x7f\xe0\0\x10"  # the tag of pixel data in big endian
_PREAMBLE = 128


@dataclass
class Header:
    """What a file says about itself.

    `values` holds raw top-level values by tag (little endian, without those left in the
    file as bulk). `data` is the data set up to the pixel data in `encoding`, bulk values
    emptied; `bulk` lists (tag, VR, offset, length) of those in the file. `pixels` is the
    pixel data element with offsets into the file, None where there is none or where the
    file is deflated; `pixel_vr` is its VR, empty only where there is none.
    """

    transfer_syntax_uid: str
    source: str
    dataset_offset: int
    values: dict[int, bytes] = field(default_factory=dict)
    data: bytes = b""
    bulk: list[tuple[int, str, int, int]] = field(default_factory=list)
    pixels: Element | None = None
    pixel_vr: str = ""
    media_class: str = ""  # the SOP class that the file meta information names

    def text(self, tag: int) -> str:
        """A value as text, all values of it, padding removed."""
        raw = self.values.get(tag, b"")
        # The escapes of ISO 2022 turn ASCII bytes into other characters (PS3.5 6.1.2.5).
        plain = raw.isascii() and b"\x1b" not in raw
        text = raw.decode("ascii") if plain else decode(raw, self.character_set)
        return text.replace("\0", "").strip()

    @property
    def character_set(self) -> str:
        """Specific Character Set (0008,0005), its terms apart by backslashes."""
        return _ascii(self.values.get(0x00080005, b""))

    def integer(self, tag: int) -> int | None:
        """An IS or US value; None where there is none or it is no number."""
        raw = self.values.get(tag, b"")
        if tag in _BINARY_TAGS:
            return int.from_bytes(raw[:2], "little") if len(raw) >= 2 else None
        try:
            return int(float(raw.decode("ascii").split("\\")[0].strip(" \0")))
        except (ValueError, OverflowError):
            return None


# Of the tags asked for with `integer`, those that are US: samples, rows, columns, bits.
_BINARY_TAGS = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100})


def read_header(buffer: Whole) -> Header:
    """Read the header of a PS3.10 file; raises UnreadableError."""
    try:
        header = _read_meta(buffer)
        if header.transfer_syntax_uid == EXPLICIT_BIG:
            return _read_with_pydicom(buffer)
        if header.transfer_syntax_uid in DEFLATED:
            return _read_deflated(buffer, header)
        return _read_dataset(buffer, header)
    except DamagedError as error:
        raise UnreadableError(str(error)) from None
    except (WalkError, struct.error) as error:
        return _read_with_pydicom(buffer, cut_off=isinstance(error, CutOffError))


def source_of(front: bytes) -> str:
    """The AE title a file says it came from, of its first bytes; empty where they do not tell."""
    try:
        return _read_meta(front).source
    except (UnreadableError, WalkError, struct.error):
        return ""


def explicit(transfer_syntax_uid: str) -> bool:
    """Is a `Header.data` of this transfer syntax in explicit VR (always little endian)?"""
    return transfer_syntax_uid != IMPLICIT_LITTLE


def _read_meta(buffer: Whole) -> Header:
    if buffer[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise UnreadableError("no DICOM file: the DICM mark is missing")
    meta: dict[int, bytes] = {}
    position = _PREAMBLE + 4
    # The group is looked at first: behind the meta information the VR form may change.
    while buffer[position : position + 2] == b"\x02\x00":
        element = element_at(buffer, position, explicit_vr=True)
        position = element.offset + element.length
        meta[element.tag] = buffer[element.offset : position]
    syntax = _ascii(meta.get(0x00020010, b""))
    if not syntax:
        raise WalkError("no transfer syntax")
    media_class = _ascii(meta.get(0x00020002, b""))
    return Header(syntax, _ascii(meta.get(0x00020016, b"")), position, media_class=media_class)


def _ascii(raw: bytes) -> str:
    return raw.decode("ascii", "replace").strip(" \0")


def _read_dataset(buffer: Whole, header: Header) -> Header:
    """Fill in values, data, bulk and pixels by walking from the start of the data set."""
    explicit_vr = explicit(header.transfer_syntax_uid)
    run = _explicit_run if explicit_vr else _implicit_run
    kept: list[bytes] = []
    copied = position = header.dataset_offset
    size = len(buffer)
    while True:
        position = run(buffer, position, size, header.values)
        if position + 8 > size:
            position = size
            break
        element = element_at(buffer, position, explicit_vr)
        if element.tag in PIXEL_TAGS:
            header.pixels = element
            header.pixel_vr = _pixel_vr(element.tag, element.vr) if element.length else ""
            break
        following = behind(buffer, element, size, explicit_vr, 0)
        if _is_bulk(element):
            kept += [buffer[copied:position], _emptied(element)]
            copied = following
            header.bulk.append((element.tag, element.vr.decode(), element.offset, element.length))
        elif element.length != UNDEFINED and element.vr != b"SQ":
            header.values[element.tag] = buffer[element.offset : following]
        position = following
    header.data = b"".join([*kept, buffer[copied:position]])
    return header


def _pixel_vr(tag: int, vr: bytes) -> str:
    return {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(tag) or vr.decode() or "OW"


def _explicit_run(buffer: Whole, position: int, end: int, values: dict[int, bytes]) -> int:
    """Take ordinary elements into `values`; returns where the first other one starts.

    One tight loop over what nearly all elements of nearly all files are: known VR, value
    at hand. Everything else is left to `_element`, which looks more closely.
    """
    unpack, unpack_long, last = EXPLICIT_HEAD.unpack_from, LONG_LENGTH.unpack_from, end - 12
    short_vrs, long_vrs, most, pixels = _SHORT_VRS, LONG_VRS, BULK_BYTES, _PIXEL_GROUP
    while position <= last:
        group, number, vr, length = unpack(buffer, position)
        offset = position + 8
        if vr not in short_vrs:
            if vr not in long_vrs:
                return position
            length, offset = unpack_long(buffer, offset)[0], offset + 4
        following = offset + length
        if length > most or group >= pixels or following > end:
            return position
        if vr != b"SQ":
            values[group << 16 | number] = buffer[offset:following]
        position = following
    return position


def _implicit_run(buffer: Whole, position: int, end: int, values: dict[int, bytes]) -> int:
    """The same for implicit VR, where a length is all there is to see."""
    unpack, last = IMPLICIT_HEAD.unpack_from, end - 8
    most, pixels = BULK_BYTES, _PIXEL_GROUP
    while position <= last:
        group, number, length = unpack(buffer, position)
        following = position + 8 + length
        if length > most or group >= pixels or following > end:
            return position
        values[group << 16 | number] = buffer[position + 8 : following]
        position = following
    return position


def _is_bulk(element: Element) -> bool:
    if not BULK_BYTES < element.length < UNDEFINED:
        return False
    return element.vr in _BULK_VRS if element.vr else _may_be_bulk(element.tag)


@functools.lru_cache(maxsize=1024)
def _may_be_bulk(tag: int) -> bool:
    """In implicit VR: is the attribute of such a VR, or one that nobody knows?"""
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return True
    return any(vr.encode() in _BULK_VRS for vr in known.split(" or "))


def _emptied(element: Element) -> bytes:
    group, number = element.tag >> 16, element.tag & 0xFFFF
    if not element.vr:
        return IMPLICIT_HEAD.pack(group, number, 0)
    return EXPLICIT_HEAD.pack(group, number, element.vr, 0) + LONG_LENGTH.pack(0)


def _read_deflated(buffer: Whole, header: Header) -> Header:
    """Inflate as much as the header needs, never the pixels."""
    for data, whole in inflated_fronts(buffer, header.dataset_offset):
        try:
            found = _read_dataset(data, Header(header.transfer_syntax_uid, header.source, 0))
        except (WalkError, struct.error):
            if whole:
                raise
            continue
        if found.pixels or whole:
            break
    else:
        raise UnreadableError("its header inflates to more than this site allows")
    # Offsets into the inflated bytes are of no use in the file.
    found.dataset_offset, found.pixels = header.dataset_offset, None
    found.bulk = [(tag, vr, NOT_IN_FILE, length) for tag, vr, _, length in found.bulk]
    return found


def _read_with_pydicom(buffer: Whole, *, cut_off: bool = False) -> Header:
    """The second opinion: slower, and reading more kinds of wrong.

    `cut_off`: the walk came to the end within a value. pydicom says nothing of that; it may
    though find another VR form than announced, in which the lengths are right.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            header, as_announced = _second_opinion(buffer)
    except Exception as error:  # damaged bytes surface as almost anything
        raise UnreadableError(f"not readable as DICOM ({type(error).__name__})") from error
    if cut_off and as_announced and header.pixels is None:
        raise UnreadableError("cut off: the file ends within a value")
    return header


def _second_opinion(buffer: Whole) -> tuple[Header, bool]:
    """The header, and whether the data set is in the VR form of its transfer syntax."""
    stream = io.BytesIO(buffer)
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    stopped = stream.tell()
    meta = dataset.file_meta
    syntax = syntax_of(dataset)
    inner = IMPLICIT_LITTLE if syntax == IMPLICIT_LITTLE else EXPLICIT_LITTLE
    again = reencoded(dataset, implicit_vr=syntax == IMPLICIT_LITTLE)
    header = _read_dataset(again, Header(inner, "", 0))
    header.transfer_syntax_uid = syntax
    header.source = str(meta.get("SourceApplicationEntityTitle", ""))
    header.dataset_offset = _behind_meta(buffer)
    header.bulk = [(tag, vr, NOT_IN_FILE, length) for tag, vr, _, length in header.bulk]
    header.pixels = _pixels_at(buffer, stopped, dataset)
    if header.pixels:
        header.pixel_vr = _pixel_vr(header.pixels.tag, header.pixels.vr)
    elif buffer[stopped : stopped + 4] == _BIG_PIXELS:
        header.pixel_vr = _pixel_vr(0x7FE00010, buffer[stopped + 4 : stopped + 6])
    return header, dataset.original_encoding[0] == (syntax == IMPLICIT_LITTLE)


def _behind_meta(buffer: Whole) -> int:
    """Where the data set starts, as far as the walk can tell."""
    try:
        return _read_meta(buffer).dataset_offset
    except (WalkError, struct.error):
        return _PREAMBLE + 4


def _pixels_at(buffer: Whole, position: int, dataset: Dataset) -> Element | None:
    """The pixel data element where pydicom stopped, in whichever VR form fits."""
    _, little = dataset.original_encoding
    if not little or position + 12 > len(buffer):
        return None
    for explicit_vr in (True, False):
        try:
            element = element_at(buffer, position, explicit_vr)
        except WalkError:
            continue
        if element.tag in PIXEL_TAGS:
            return element
    return None
