"""Shutters: what of an image is not to be seen (PS3.3 C.7.6.11, C.7.6.15)."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from apps.dicom.rendering.colour import Picture
from apps.dicom.rendering.overlays import laid, plane_of
from apps.dicom.rendering.reading import Frame
from apps.dicom.rendering.states import Colour, from_cielab, from_grey, numbers

Mask = NDArray[np.bool_]
_EDGES = (
    *("ShutterLeftVerticalEdge", "ShutterRightVerticalEdge"),
    *("ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge"),
)


def shuttered(picture: Picture, state: Dataset, frame_number: int) -> Picture:
    """The picture, of which nothing is seen but what all shutters leave open."""
    shapes = state.get("ShutterShape") or []
    asked = {shapes} if isinstance(shapes, str) else {str(one) for one in shapes}
    opened = np.ones(picture.shape[:2], np.bool_)
    for shape, of in (("RECTANGULAR", _rectangle), ("CIRCULAR", _circle), ("POLYGONAL", _polygon)):
        if shape in asked:
            opened &= of(state, opened.shape)
    if "BITMAP" in asked:
        opened &= ~_bitmap(picture, state, frame_number)
    if opened.all():
        return picture
    covered = picture.copy()
    covered[~opened] = _colour(state)
    return covered


def _colour(state: Dataset) -> Colour:
    lab = numbers(state.get("ShutterPresentationColorCIELabValue"))
    if len(lab) == 3:
        return from_cielab(lab)
    grey = numbers(state.get("ShutterPresentationValue"))
    return from_grey(grey[0]) if grey else (0, 0, 0)


def _rectangle(state: Dataset, shape: tuple[int, ...]) -> Mask:
    """Edges are the first and last row or column that are seen, counted from 1."""
    left, right, upper, lower = (int(numbers(state.get(name))[0]) for name in _EDGES)
    opened = np.zeros(shape, np.bool_)
    opened[max(upper - 1, 0) : max(lower, 0), max(left - 1, 0) : max(right, 0)] = True
    return opened


def _circle(state: Dataset, shape: tuple[int, ...]) -> Mask:
    row, column = numbers(state.get("CenterOfCircularShutter"))
    radius = numbers(state.get("RadiusOfCircularShutter"))[0]
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)


def _polygon(state: Dataset, shape: tuple[int, ...]) -> Mask:
    values = numbers(state.get("VerticesOfThePolygonalShutter"))
    corners = [(values[at + 1] - 1, values[at] - 1) for at in range(0, len(values) - 1, 2)]
    drawn = Image.new("1", (shape[1], shape[0]))
    if len(corners) > 2:
        ImageDraw.Draw(drawn).polygon(corners, fill=1, outline=1)
    return np.asarray(drawn, np.bool_)


def _bitmap(picture: Picture, state: Dataset, number: int) -> Mask:
    """The overlay plane of the state that covers (PS3.3 C.7.6.15)."""
    group = int(state.get("ShutterOverlayGroup") or 0)
    frame = Frame(picture, state, number)
    plane = plane_of(frame, group) if (group, 0x3000) in state else None
    if plane is None:
        return np.zeros(picture.shape[:2], np.bool_)
    return laid(plane, frame, group)
