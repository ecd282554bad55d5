"""What the first bytes of compressed pixels say about them: size, bits, transfer syntax.

Only headers are read, nothing is decoded (ISO 10918-1, 14495-1, 15444-1, 14496-12).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS, JPEG_LOSSLESS_FIRST = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS, HTJ2K = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"
MPEG2, MPEG4, HEVC = (f"1.2.840.10008.1.2.4.{number}" for number in (100, 102, 107))
RLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"
HEAD_BYTES = 1 << 18  # as much as is looked at
_JP2_SIGNATURE = b"\0\0\0\x0cjP  "
_J2K_SIGNATURE = b"\xff\x4f\xff\x51"
_MARKERS_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xF7}
_SCAN = 0xDA


class CodestreamError(ValueError):
    """These bytes are not what they are said to be; the message says what about them."""


@dataclass(frozen=True)
class Codestream:
    """Attributes of the Image Pixel module as the compressed bytes have them.

    `start`: where the code stream begins, behind the boxes of a file format.
    """

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples: int
    bits: int
    photometric: str
    signed: bool = False
    start: int = 0


def read_codestream(media_type: str, head: bytes) -> Codestream:
    """Raises CodestreamError; `head` are the first HEAD_BYTES, or fewer of a shorter image."""
    try:
        if media_type in ("image/jpeg", "image/jls"):
            return _jpeg(head)
        if media_type in ("image/jp2", "image/jpx", "image/j2c", "image/jphc", "image/jph"):
            return _jpeg_2000(head)
    except (struct.error, IndexError):
        raise CodestreamError("the image is cut off") from None
    raise CodestreamError(f"no header is read from {media_type}")


def video_syntax(media_type: str, head: bytes) -> str:
    """The transfer syntax of a video: by its kind, and by the codec that its boxes name."""
    if media_type in ("video/mpeg", "video/mpeg2"):
        return MPEG2
    return HEVC if b"hvc1" in head or b"hev1" in head else MPEG4


def _segments(head: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment up to the first scan."""
    if head[:2] != b"\xff\xd8":
        raise CodestreamError("no JPEG: it does not begin with its mark")
    position = 2
    while position + 4 <= len(head):
        if head[position] != 0xFF:
            raise CodestreamError("no JPEG: a segment without its mark")
        marker = head[position + 1]
        if marker == 0xFF or marker in _MARKERS_ALONE:
            position += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", head, position + 2)
        yield marker, position + 4, position + 2 + length
        if marker == _SCAN:
            return
        position += 2 + length


def _jpeg(head: bytes) -> Codestream:
    frame: tuple[int, int, int, int, int, int] | None = None
    adobe = ids = b""
    for marker, start, end in _segments(head):
        if marker in _FRAMES:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", head, start)
            frame = (marker, bits, rows, columns, samples, head[start + 7])
            ids = head[start + 6 : end : 3]
        elif marker == 0xEE and head[start : start + 5] == b"Adobe":
            adobe = head[start : start + 12]
        elif marker == _SCAN and frame:
            return _described(frame, head[start:end], adobe, ids)
    raise CodestreamError("no JPEG of a kind that is kept, or its header is too long")


def _described(
    frame: tuple[int, int, int, int, int, int], scan: bytes, adobe: bytes, ids: bytes
) -> Codestream:
    marker, bits, rows, columns, samples, sampling = frame
    if samples not in (1, 3) or not rows or not columns:
        raise CodestreamError("not an image of one or three components")
    # The three bytes behind the components of a scan: predictor or nearness, and two more.
    parameter = scan[1 + 2 * scan[0]]
    if marker == 0xC2:
        raise CodestreamError("a progressive JPEG has no place in DICOM")
    syntax = {
        0xC0: JPEG_BASELINE,
        0xC1: JPEG_EXTENDED,
        0xC3: JPEG_LOSSLESS_FIRST if parameter == 1 else JPEG_LOSSLESS,
        0xF7: JPEG_LS_NEAR if parameter else JPEG_LS,
    }[marker]
    lossy = marker in (0xC0, 0xC1)
    in_rgb = ids == b"RGB" or (len(adobe) == 12 and adobe[11] == 0) or not lossy
    colour = "RGB" if in_rgb else "YBR_FULL" if sampling == 0x11 else "YBR_FULL_422"
    return Codestream(
        syntax, rows, columns, samples, bits, colour if samples == 3 else "MONOCHROME2"
    )


def _jpeg_2000(head: bytes) -> Codestream:
    start = 0
    if head.startswith(_JP2_SIGNATURE):
        found = head.find(b"jp2c")
        if found < 0:
            raise CodestreamError("no JPEG 2000: the file has no code stream")
        start = found + (12 if head[found - 4 : found] == b"\0\0\0\x01" else 4)
    if head[start : start + 4] != _J2K_SIGNATURE:
        raise CodestreamError("no JPEG 2000: it does not begin with its mark")
    _, capabilities, width, height, left, top = struct.unpack_from(">HHIIII", head, start + 4)
    (samples,) = struct.unpack_from(">H", head, start + 40)
    depth = head[start + 42]
    if samples not in (1, 3):
        raise CodestreamError("not an image of one or three components")
    reversible, mixed = _coding_style(head, start)
    high_throughput = bool(capabilities & 0x4000)
    colour = ("YBR_RCT" if reversible else "YBR_ICT") if mixed else "RGB"
    return Codestream(
        _jpeg_2000_syntax(reversible=reversible, high_throughput=high_throughput),
        height - top,
        width - left,
        samples,
        (depth & 0x7F) + 1,
        colour if samples == 3 else "MONOCHROME2",
        signed=bool(depth & 0x80),
        start=start,
    )


def _jpeg_2000_syntax(*, reversible: bool, high_throughput: bool) -> str:
    if high_throughput:
        return HTJ2K_LOSSLESS if reversible else HTJ2K
    return JPEG_2000_LOSSLESS if reversible else JPEG_2000


def _coding_style(head: bytes, start: int) -> tuple[bool, bool]:
    """Reversible wavelets? Mixed components? From the COD segment."""
    position = start + 2
    while position + 4 <= len(head):
        marker, length = struct.unpack_from(">HH", head, position)
        if marker == 0xFF52:
            return head[position + 13] == 1, head[position + 8] == 1
        position += 2 + length
    raise CodestreamError("no JPEG 2000: the coding style is missing")
