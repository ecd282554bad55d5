"""Walking the elements of a little-endian data set, without a data set (PS3.5 section 7)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from apps.dicom.deflated import Buffer

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 64
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
EXPLICIT_HEAD = struct.Struct("<HH2sH")
IMPLICIT_HEAD = struct.Struct("<HHL")
LONG_LENGTH = struct.Struct("<L")


class UnreadableError(ValueError):
    """A file that is no DICOM object anybody could use; the message says why."""


class WalkError(ValueError):
    """The fast walk does not understand these bytes."""


class CutOffError(WalkError):
    """A value, as the walk reads it, would end behind the end of the file."""


class Element(NamedTuple):
    """One data element: where its tag starts, where its value starts, how long it is."""

    tag: int
    vr: bytes  # empty in implicit VR
    start: int
    offset: int
    length: int  # UNDEFINED for sequences and encapsulated pixel data that say so


def elements(
    buffer: Buffer, start: int, end: int, *, explicit_vr: bool, depth: int = 0
) -> Iterator[Element]:
    """The elements of one level between two offsets; raises WalkError, struct.error."""
    position = start
    while position + 8 <= end:
        element = element_at(buffer, position, explicit_vr)
        yield element
        position = behind(buffer, element, end, explicit_vr, depth)


def spans(
    buffer: Buffer, start: int, end: int, *, explicit_vr: bool
) -> Iterator[tuple[Element, int]]:
    """As `elements`, each with the offset behind it; what is left over is a WalkError."""
    position = start
    while position < end:
        element = element_at(buffer, position, explicit_vr)
        position = behind(buffer, element, end, explicit_vr, 0)
        yield element, position


def items(
    buffer: Buffer, element: Element, end: int, *, explicit_vr: bool, depth: int = 0
) -> Iterator[tuple[int, int]]:
    """Start and end of each item's elements, its delimiter left out."""
    if depth > MAX_DEPTH:
        raise UnreadableError(f"nested deeper than {MAX_DEPTH} levels")
    position = element.offset
    stop = end if element.length == UNDEFINED else element.offset + element.length
    while position + 8 <= stop:
        group, number, length = IMPLICIT_HEAD.unpack_from(buffer, position)
        tag = group << 16 | number
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise WalkError("something else where an item should be")
        position += 8
        if length == UNDEFINED:
            item_end = _item_end(buffer, position, stop, explicit_vr, depth)
            yield position, item_end
            position = item_end + 8
        else:
            yield position, position + length
            position += length


def inside(element: Element, explicit_vr: bool) -> bool:
    """Are the items of a sequence in explicit VR? Not in a UN (PS3.5 6.2.2 note 2)."""
    return explicit_vr and element.vr != b"UN"


def element_at(buffer: Buffer, position: int, explicit_vr: bool) -> Element:
    """The element that starts at an offset; raises WalkError, struct.error."""
    group, number, length = IMPLICIT_HEAD.unpack_from(buffer, position)
    tag = group << 16 | number
    if not explicit_vr or group == 0xFFFE:
        return Element(tag, b"", position, position + 8, length)
    vr, short = EXPLICIT_HEAD.unpack_from(buffer, position)[2:]
    if vr in LONG_VRS:
        return Element(
            tag, vr, position, position + 12, LONG_LENGTH.unpack_from(buffer, position + 8)[0]
        )
    if not (vr.isalpha() and vr.isupper()):
        raise WalkError("no VR where one should be")
    return Element(tag, vr, position, position + 8, short)


def behind(buffer: Buffer, element: Element, end: int, explicit_vr: bool, depth: int) -> int:
    """Where the next element starts."""
    if element.length != UNDEFINED:
        position = element.offset + element.length
        if position > end:
            what = CutOffError if end == len(buffer) else WalkError
            raise what("a value reaches past the end")
        return position
    position = element.offset
    for _, stop in items(
        buffer, element, end, explicit_vr=inside(element, explicit_vr), depth=depth + 1
    ):
        position = stop
    # Behind the last item: its own delimiter, then that of the sequence.
    return _behind_delimiters(buffer, position, end)


def _behind_delimiters(buffer: Buffer, position: int, end: int) -> int:
    while position + 8 <= end:
        group, number, _ = IMPLICIT_HEAD.unpack_from(buffer, position)
        position += 8
        if group << 16 | number == SEQUENCE_END:
            return position
    raise WalkError("a sequence without an end")


def _item_end(buffer: Buffer, start: int, end: int, explicit_vr: bool, depth: int) -> int:
    """Where the delimiter of an item of undefined length is."""
    position = start
    while position + 8 <= end:
        element = element_at(buffer, position, explicit_vr)
        if element.tag == ITEM_END:
            return position
        position = behind(buffer, element, end, explicit_vr, depth)
    raise WalkError("an item without an end")
