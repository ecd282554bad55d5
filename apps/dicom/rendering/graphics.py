"""Graphics and text of a presentation state (PS3.3 C.10.5)."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from apps.dicom.rendering.annotating import font_for
from apps.dicom.rendering.options import RenderingError
from apps.dicom.rendering.placing import Placing, Point
from apps.dicom.rendering.states import (
    MOST_ITEMS,
    Colour,
    State,
    from_cielab,
    name_of,
    numbers,
)

_STEPS = 12  # between two points of a curve
_AROUND = 96  # points of an ellipse
_MOST_POINTS = 50_000
_MOST_TEXT = 1024
_SMALLEST = 10
_LINE_OF_HEIGHT, _TEXT_OF_HEIGHT, _LARGEST_OF_HEIGHT = 500, 36, 12
_DISPLAY = "DISPLAY"


def draw_layer(
    image: Image.Image, state: State, placing: Placing, layer: str | None, colour: Colour
) -> None:
    """What a layer holds, in its colour; None: what is in no layer that the state has."""
    known = {name for name, _ in state.layers()}
    pen = ImageDraw.Draw(image)
    for item in state.items("GraphicAnnotationSequence"):
        name = name_of(item, "GraphicLayer")
        if name != layer if layer is not None else name in known:
            continue
        figures, texts = item.get("GraphicObjectSequence"), item.get("TextObjectSequence")
        if len(figures or []) + len(texts or []) > MOST_ITEMS:
            raise RenderingError("a presentation state of too many graphics")
        for one in figures or []:
            _draw_figure(pen, one, placing, colour)
        for one in texts or []:
            _draw_text(pen, one, placing, colour)


def curve_of(points: Sequence[Point]) -> list[Point]:
    """A smooth line through points (Catmull-Rom), closed where the last is the first."""
    if len(points) < 3:
        return list(points)
    closed = points[0] == points[-1]
    before, behind = (points[-2], points[1]) if closed else (points[0], points[-1])
    whole = np.array([before, *points, behind])
    found: list[Point] = []
    for at in range(1, len(whole) - 2):
        a, b, c, d = whole[at - 1 : at + 3]
        for t in np.arange(_STEPS) / _STEPS:
            x, y = 0.5 * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
            found.append((float(x), float(y)))
    return [*found, points[-1]]


def _draw_figure(pen: ImageDraw.ImageDraw, item: Dataset, placing: Placing, colour: Colour) -> None:
    values = numbers(item.get("GraphicData"))
    if len(values) > 2 * _MOST_POINTS:
        raise RenderingError("a graphic of too many points")
    display = name_of(item, "GraphicAnnotationUnits") == _DISPLAY
    points = [(values[at], values[at + 1]) for at in range(0, len(values) - 1, 2)]
    kind = name_of(item, "GraphicType")
    outline = [_placed(one, placing, display=display) for one in _outline(kind, points)]
    if not outline:
        return
    ink = _ink(item, "LineStyleSequence", colour)
    width = max(round(min(placing.size) / _LINE_OF_HEIGHT), 1)
    if kind == "POINT":
        _draw_point(pen, outline[0], ink, 3 * width)
        return
    if name_of(item, "GraphicFilled") == "Y" and len(outline) > 2:
        pen.polygon(outline, fill=_ink(item, "FillStyleSequence", colour))
    pen.line(outline, fill=ink, width=width, joint="curve")


def _outline(kind: str, points: list[Point]) -> list[Point]:
    """The points of the line that a graphic is."""
    if kind == "INTERPOLATED":
        return curve_of(points)
    if kind == "CIRCLE" and len(points) == 2:
        (x, y), edge = points
        radius = math.dist(points[0], edge)
        return _around((x, y), (radius, 0), (0, radius))
    if kind == "ELLIPSE" and len(points) == 4:
        first, last, side, other = np.array(points)
        middle = (first + last) / 2
        return _around(tuple(middle), tuple((last - first) / 2), tuple((other - side) / 2))
    return points


def _around(middle: Point, axis: Point, other: Point) -> list[Point]:
    angles = [2 * math.pi * one / _AROUND for one in range(_AROUND + 1)]
    return [
        (
            middle[0] + axis[0] * math.cos(angle) + other[0] * math.sin(angle),
            middle[1] + axis[1] * math.cos(angle) + other[1] * math.sin(angle),
        )
        for angle in angles
    ]


def _placed(point: Point, placing: Placing, *, display: bool) -> Point:
    return placing.displayed(*point) if display else placing.point(*point)


def _ink(item: Dataset, name: str, otherwise: Colour) -> Colour:
    """The colour of a graphic's own style, else that of its layer (PS3.3 C.10.5.1.3)."""
    keyword = {"TextStyleSequence": "TextColorCIELabValue"}.get(name, "PatternOnColorCIELabValue")
    for style in item.get(name) or []:
        lab = numbers(style.get(keyword))
        if len(lab) == 3:
            return from_cielab(lab)
    return otherwise


def _draw_point(pen: ImageDraw.ImageDraw, at: Point, ink: Colour, arm: int) -> None:
    x, y = at
    pen.line([(x - arm, y), (x + arm, y)], fill=ink)
    pen.line([(x, y - arm), (x, y + arm)], fill=ink)


def _draw_text(pen: ImageDraw.ImageDraw, item: Dataset, placing: Placing, colour: Colour) -> None:
    lines = list(_lines(name_of(item, "UnformattedTextValue")))
    ink = _ink(item, "TextStyleSequence", colour)
    box = _box(item, placing)
    anchor = _anchor(item, placing)
    if anchor and name_of(item, "AnchorPointVisibility") == "Y":
        if box:
            pen.line([_nearest(box, anchor), anchor], fill=ink)
        else:
            _draw_point(pen, anchor, ink, 3)
    if box:
        _write_in(pen, lines, box, placing, ink=ink, side=_justified(item))
    elif anchor:
        size = max(placing.size[1] // _TEXT_OF_HEIGHT, _SMALLEST)
        _write(pen, lines, (anchor[0] + 6, anchor[1]), size, ink=ink, side="l")


def _lines(text: str) -> Iterator[str]:
    for line in text[:_MOST_TEXT].replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        yield "".join(char for char in line if char.isprintable())


def _box(item: Dataset, placing: Placing) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom on the picture: text is not turned with the image."""
    display = name_of(item, "BoundingBoxAnnotationUnits") == _DISPLAY
    corners = [
        numbers(item.get(f"BoundingBox{name}HandCorner")) for name in ("TopLeft", "BottomRight")
    ]
    if not all(len(one) == 2 for one in corners):
        return None
    (x1, y1), (x2, y2) = (_placed((one[0], one[1]), placing, display=display) for one in corners)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _anchor(item: Dataset, placing: Placing) -> Point | None:
    values = numbers(item.get("AnchorPoint"))
    if len(values) != 2:
        return None
    display = name_of(item, "AnchorPointAnnotationUnits") == _DISPLAY
    return _placed((values[0], values[1]), placing, display=display)


def _nearest(box: tuple[float, float, float, float], point: Point) -> Point:
    return min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])


def _justified(item: Dataset) -> str:
    asked = name_of(item, "BoundingBoxTextHorizontalJustification")
    return {"CENTER": "m", "RIGHT": "r"}.get(asked, "l")


def _write_in(
    pen: ImageDraw.ImageDraw,
    lines: list[str],
    box: tuple[float, float, float, float],
    placing: Placing,
    *,
    ink: Colour,
    side: str,
) -> None:
    """As large as fits into the box; never so small that nobody can read it."""
    left, top, right, bottom = box
    widest = max((pen.textlength(line, font_for(line, 100)) for line in lines), default=0) or 1
    fitting = min((right - left) / widest * 100, (bottom - top) / len(lines) / 1.25)
    largest = max(placing.size[1] // _LARGEST_OF_HEIGHT, _SMALLEST)
    size = round(min(max(fitting, _SMALLEST), largest))
    x = {"l": left, "m": (left + right) / 2, "r": right}[side]
    _write(pen, lines, (x, top), size, ink=ink, side=side)


def _write(
    pen: ImageDraw.ImageDraw, lines: list[str], at: Point, size: int, *, ink: Colour, side: str
) -> None:
    """With a dark or light edge, so that it is read on any ground."""
    edge = (0, 0, 0) if sum(ink) > 255 else (255, 255, 255)
    for index, line in enumerate(lines):
        place = (at[0], at[1] + index * size * 1.25)
        pen.text(
            place,
            line,
            fill=ink,
            font=font_for(line, size),
            anchor=f"{side}a",
            stroke_width=1,
            stroke_fill=edge,
        )
