"""Overlay planes, drawn white on the picture (PS3.3 C.9.2)."""

import numpy as np
from numpy.typing import NDArray
from pydicom.overlays.numpy_handler import get_overlay_array

from apps.dicom.rendering.colour import Picture
from apps.dicom.rendering.reading import MOST_FRAME_BYTES, Frame

_GROUPS = range(0x6000, 0x6020, 2)
_WHITE = 255


def with_overlays(picture: Picture, frame: Frame) -> Picture:
    """The picture with every overlay plane that has bits of its own."""
    planes = [group for group in _GROUPS if (group, 0x3000) in frame.dataset]
    drawn = picture.copy() if planes else picture
    for group in planes:
        plane = plane_of(frame, group)
        if plane is not None:
            drawn[laid(plane, Frame(picture, frame.dataset, frame.number), group)] = _WHITE
    return drawn


def laid(plane: NDArray[np.bool_], frame: Frame, group: int) -> NDArray[np.bool_]:
    """Where in the image the bits of a plane lie; what is beside it is cut off."""
    high, wide = frame.values.shape[:2]
    there = np.zeros((high, wide), np.bool_)
    top, left = _origin(frame, group)
    rows = slice(max(top, 0), min(top + plane.shape[0], high))
    columns = slice(max(left, 0), min(left + plane.shape[1], wide))
    seen = plane[
        rows.start - top : max(rows.stop - top, 0),
        columns.start - left : max(columns.stop - left, 0),
    ]
    there[rows, columns] = seen
    return there


def hidden_plane_of(frame: Frame, group: int) -> NDArray[np.bool_] | None:
    """A plane in bits of the pixels that are not used (retired; PS3.3-2004 C.9.2)."""
    allocated = int(frame.dataset.get((group, 0x100), _One).value or 1)
    position = int(frame.dataset.get((group, 0x102), _One).value or 0)
    pixels = frame.dataset.get("PixelData") or b""
    if allocated not in (8, 16) or allocated != frame.dataset.get("BitsAllocated"):
        return None
    # As they are stored: what the decoder gives has no bits beside those of the values.
    cells = np.frombuffer(pixels, f"<u{allocated // 8}")
    rows, columns = frame.values.shape[:2]
    size = rows * columns
    start = size * (frame.number - 1) if len(cells) >= size * frame.number else 0
    if len(cells) < start + size or frame.values.ndim != 2:
        return None
    return np.asarray(cells[start : start + size].reshape(rows, columns) >> position & 1, np.bool_)


def plane_of(frame: Frame, group: int) -> NDArray[np.bool_] | None:
    """The plane for a frame: those of many frames begin at one (PS3.3 C.9.2.1.4)."""
    dataset = frame.dataset
    rows, columns = (int(dataset[group, tag].value) for tag in (0x10, 0x11))
    planes = int(dataset.get((group, 0x15), _One).value or 1)
    first = int(dataset.get((group, 0x51), _One).value or 1)
    if rows <= 0 or columns <= 0 or rows * columns * planes > MOST_FRAME_BYTES:
        return None
    found = get_overlay_array(dataset, group).astype(np.bool_)
    if found.ndim == 2:
        return np.asarray(found)
    index = frame.number - first
    return np.asarray(found[index]) if 0 <= index < len(found) else None


class _One:
    value = 1


def _origin(frame: Frame, group: int) -> tuple[int, int]:
    """Row and column of the first point, counted from 0."""
    element = frame.dataset.get((group, 0x50))
    row, column = element.value if element and len(element.value) == 2 else (1, 1)
    return int(row) - 1, int(column) - 1
