"""One frame of an image as an image of its own, so that codecs can be given no more than that."""

import struct

from apps.dicom.header import NATIVE, PIXEL_TAGS, UNDEFINED, elements, items
from apps.dicom.writing import element

# What codecs have to know of an image (PS3.3 C.7.6.3), in the order of its data set.
_DESCRIBING = {
    0x00280002: "US",
    0x00280004: "CS",
    0x00280006: "US",
    0x00280010: "US",
    0x00280011: "US",
    0x00280100: "US",
    0x00280101: "US",
    0x00280102: "US",
    0x00280103: "US",
}
_ITEM = struct.Struct("<HHL")
_ENCAPSULATED = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, UNDEFINED)
_END = _ITEM.pack(0xFFFE, 0xE0DD, 0)


def single_frame(
    header: bytes, frame: bytes, transfer_syntax_uid: str, *, explicit_vr: bool
) -> bytes:
    """A data set in explicit VR of the frame and what describes it in `header`.

    `transfer_syntax_uid` is that of the frame; `explicit_vr` says how the header is written.
    """
    said = {
        one.tag: header[one.offset : one.offset + one.length]
        for one in elements(header, 0, len(header), explicit_vr=explicit_vr)
        if one.tag in _DESCRIBING
    }
    written = [
        element(tag, _DESCRIBING[tag], raw, explicit_vr=True) for tag, raw in sorted(said.items())
    ]
    if transfer_syntax_uid in NATIVE:
        pixels = element(0x7FE00010, "OW", frame, explicit_vr=True)
    else:
        frame += b"\0" * (len(frame) % 2)
        table, fragment = _ITEM.pack(0xFFFE, 0xE000, 0), _ITEM.pack(0xFFFE, 0xE000, len(frame))
        pixels = b"".join((_ENCAPSULATED, table, fragment, frame, _END))
    return b"".join([*written, pixels])


def frame_of(data: bytes) -> bytes:
    """The frame of a data set that `single_frame` made, and that may have been transcoded."""
    values: dict[int, int] = {}
    for one in elements(data, 0, len(data), explicit_vr=True):
        if one.tag in PIXEL_TAGS:
            if one.length != UNDEFINED:
                return data[one.offset : one.offset + min(_frame_bytes(values), one.length)]
            fragments = list(items(data, one, len(data), explicit_vr=True))[1:]
            return b"".join(data[start:end] for start, end in fragments)
        values[one.tag] = int.from_bytes(data[one.offset : one.offset + 2], "little")
    raise ValueError("no pixel data")


def _frame_bytes(values: dict[int, int]) -> int:
    rows, columns, samples, bits = (
        values.get(tag, 0) for tag in (0x00280010, 0x00280011, 0x00280002, 0x00280100)
    )
    return (rows * columns * max(samples, 1) * bits + 7) // 8
