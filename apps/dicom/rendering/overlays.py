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
        _draw(drawn, frame, group)
    return drawn


def _draw(picture: Picture, frame: Frame, group: int) -> None:
    plane = _plane(frame, group)
    if plane is None:
        return
    top, left = _origin(frame, group)
    rows = slice(max(top, 0), min(top + plane.shape[0], picture.shape[0]))
    columns = slice(max(left, 0), min(left + plane.shape[1], picture.shape[1]))
    seen = plane[
        rows.start - top : max(rows.stop - top, 0),
        columns.start - left : max(columns.stop - left, 0),
    ]
    picture[rows, columns][seen] = _WHITE


def _plane(frame: Frame, group: int) -> NDArray[np.bool_] | None:
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
