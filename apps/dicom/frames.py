"""Where each frame of a stored image is: offsets and lengths in the file (PS3.5 A.4, 8.2)."""

import struct
from itertools import pairwise

from apps.dicom.deflated import Buffer
from apps.dicom.header import NATIVE, SEQUENCE_END, UNDEFINED, Element, Header

# Per frame a flat list: offset, length, and again for each further fragment.
FrameTable = list[list[int]]

_FIRST_BYTES = (b"\xff\xd8", b"\xff\x4f\xff\x51")  # JPEG family SOI; JPEG 2000 SOC, SIZ


def frame_table(buffer: Buffer, header: Header) -> FrameTable | None:
    """Offsets of every frame; None where frames must be cut by decoding (or there are none)."""
    if header.pixels is None:
        return None
    frames = max(header.integer(0x00280008) or 1, 1)
    if header.pixels.length != UNDEFINED:
        return _native(len(buffer), header, header.pixels, frames)
    if header.transfer_syntax_uid in NATIVE:
        return None
    return _encapsulated(buffer, header, header.pixels, frames)


def is_cut_off(buffer: Buffer, header: Header) -> bool:
    """Does the file end within its pixel data? A missing padding byte is forgiven."""
    pixels = header.pixels
    if pixels is None:
        return False
    if pixels.length != UNDEFINED:
        return pixels.offset + pixels.length > len(buffer) + 1
    position = pixels.offset
    while position + 8 <= len(buffer):
        group, number, length = struct.unpack_from("<HHL", buffer, position)
        if group != 0xFFFE or group << 16 | number == SEQUENCE_END:
            return False
        position += 8 + length
    return position > len(buffer) + 1


def _native(size: int, header: Header, pixels: Element, frames: int) -> FrameTable | None:
    bits = _frame_bits(header, pixels.tag)
    available = min(pixels.length, size - pixels.offset) * 8
    # Frames of single bits may begin within a byte: those are cut when asked for.
    if not bits or bits % 8 or bits * frames > available:
        return None
    length = bits // 8
    return [[pixels.offset + index * length, length] for index in range(frames)]


def _frame_bits(header: Header, tag: int) -> int:
    rows, columns, samples, allocated = (
        header.integer(one) or 0 for one in (0x00280010, 0x00280011, 0x00280002, 0x00280100)
    )
    if tag != 0x7FE00010:
        allocated = 32 if tag == 0x7FE00008 else 64
    # PS3.3 C.7.6.3.1.2: the chrominance of 4:2:2 is stored for every second pixel only.
    if header.text(0x00280004) == "YBR_FULL_422":
        samples = 2
    return rows * columns * max(samples, 1) * allocated


def _encapsulated(
    buffer: Buffer, header: Header, pixels: Element, frames: int
) -> FrameTable | None:
    fragments = _fragments(buffer, pixels.offset)
    if not fragments:
        return None
    table, fragments = fragments[0], fragments[1:]
    if frames == 1 or not fragments:
        return [_flat(fragments)] if fragments else None
    return (
        _by_offsets(fragments, _extended_offsets(header), frames)
        or _by_offsets(fragments, _basic_offsets(buffer, table), frames)
        or _by_count(fragments, frames)
        or _by_first_bytes(buffer, fragments, frames)
    )


def fragments(buffer: Buffer, position: int) -> list[tuple[int, int]]:
    """(offset, length) of each fragment of encapsulated pixel data, frames apart or not."""
    return _fragments(buffer, position)[1:]


def _fragments(buffer: Buffer, position: int) -> list[tuple[int, int]]:
    """(offset, length) of the basic offset table and each fragment; a cut file ends the list."""
    found: list[tuple[int, int]] = []
    while position + 8 <= len(buffer):
        group, number, length = struct.unpack_from("<HHL", buffer, position)
        if group << 16 | number == SEQUENCE_END or group != 0xFFFE:
            break
        position += 8
        found.append((position, min(length, len(buffer) - position)))
        position += length
    return found


def _extended_offsets(header: Header) -> list[int]:
    raw = header.values.get(0x7FE00001, b"")
    return list(struct.unpack(f"<{len(raw) // 8}Q", raw[: len(raw) // 8 * 8]))


def _basic_offsets(buffer: Buffer, table: tuple[int, int]) -> list[int]:
    count = table[1] // 4
    return list(struct.unpack_from(f"<{count}L", buffer, table[0]))


def _by_offsets(
    fragments: list[tuple[int, int]], offsets: list[int], frames: int
) -> FrameTable | None:
    """Offsets count from the first byte of the first fragment's item tag."""
    if len(offsets) != frames:
        return None
    first = fragments[0][0] - 8
    by_start = {offset - 8 - first: index for index, (offset, _) in enumerate(fragments)}
    starts = [by_start.get(offset) for offset in offsets]
    if None in starts or starts != sorted(starts, key=lambda one: one or 0) or starts[0] != 0:
        return None
    known = [one for one in starts if one is not None]
    return [_flat(fragments[a:b]) for a, b in pairwise([*known, len(fragments)])]


def _by_count(fragments: list[tuple[int, int]], frames: int) -> FrameTable | None:
    return [list(one) for one in fragments] if len(fragments) == frames else None


def _by_first_bytes(
    buffer: Buffer, fragments: list[tuple[int, int]], frames: int
) -> FrameTable | None:
    """Without a table: a frame starts where a fragment starts a code stream."""
    starts = [
        index
        for index, (offset, _) in enumerate(fragments)
        if bytes(buffer[offset : offset + 4]).startswith(_FIRST_BYTES)
    ]
    if len(starts) != frames or starts[0] != 0:
        return None
    return [_flat(fragments[a:b]) for a, b in pairwise([*starts, len(fragments)])]


def _flat(fragments: list[tuple[int, int]]) -> list[int]:
    return [number for fragment in fragments for number in fragment]
