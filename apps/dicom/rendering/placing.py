"""Where on the picture the points of an image come to lie (PS3.3 C.10.4, C.10.6)."""

import math
from dataclasses import dataclass

from PIL import Image, ImageOps
from pydicom.dataset import Dataset

from apps.dicom.rendering.options import RenderingError, Viewport
from apps.dicom.rendering.states import State, name_of, numbers

MOST_SIDE = 4096  # of a picture, in pixels
_MOST_STRETCHED = 20.0
Point = tuple[float, float]
_TURNS = {
    1: Image.Transpose.ROTATE_270,  # Pillow turns the other way round
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Placing:
    """A part of the image, made larger, turned by `quarters` clockwise, then mirrored.

    Lengths of the part are in pixels of the image; `across` and `down` are the pixels of the
    picture for one of them, before it is turned.
    """

    left: float
    top: float
    width: float
    height: float
    across: float
    down: float
    quarters: int
    mirrored: bool

    @property
    def flat(self) -> tuple[int, int]:
        """Width and height before it is turned."""
        return max(round(self.width * self.across), 1), max(round(self.height * self.down), 1)

    @property
    def size(self) -> tuple[int, int]:
        wide, high = self.flat
        return (high, wide) if self.quarters % 2 else (wide, high)

    def point(self, x: float, y: float) -> Point:
        """A point of the image (0, 0 is the outer corner of its first pixel) on the picture."""
        wide, high = self.flat
        u, v = (x - self.left) * self.across, (y - self.top) * self.down
        for _ in range(self.quarters):
            u, v, wide, high = high - v, u, high, wide
        return (wide - u if self.mirrored else u), v

    def displayed(self, x: float, y: float) -> Point:
        """A point given in fractions of what is displayed."""
        wide, high = self.size
        return x * wide, y * high

    def picture(self, image: Image.Image) -> Image.Image:
        """The image placed, black where there is nothing of it."""
        canvas = Image.new(image.mode, self.flat)
        box = (
            max(self.left, 0.0),
            max(self.top, 0.0),
            min(self.left + self.width, image.width),
            min(self.top + self.height, image.height),
        )
        if box[2] > box[0] and box[3] > box[1]:
            size = (
                max(round((box[2] - box[0]) * self.across), 1),
                max(round((box[3] - box[1]) * self.down), 1),
            )
            how = self._resampling(image.mode)
            corner = (
                round((box[0] - self.left) * self.across),
                round((box[1] - self.top) * self.down),
            )
            canvas.paste(image.resize(size, how, box=box), corner)
        turned = canvas.transpose(_TURNS[self.quarters]) if self.quarters else canvas
        return ImageOps.mirror(turned) if self.mirrored else turned

    def _resampling(self, mode: str) -> Image.Resampling:
        if mode == "1" or (self.across == 1 and self.down == 1):
            return Image.Resampling.NEAREST
        smaller = self.across < 1 or self.down < 1
        return Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC


def placing_of(state: State, columns: int, rows: int, viewport: Viewport | None) -> Placing:
    """As the state wants it, as large as fits into the viewport; raises RenderingError.

    Without a viewport a pixel of the image is one of the picture, or as many as the state
    magnifies it to.
    """
    area = state.chosen("DisplayedAreaSelectionSequence") or Dataset()
    left, top, width, height = _part(area, columns, rows)
    quarters = round(next(iter(numbers(state.dataset.get("ImageRotation"))), 0) / 90) % 4
    proportion = _proportion(area)
    wide, high = (width, height * proportion)
    if quarters % 2:
        wide, high = high, wide
    scale = min(_scale(area, wide, high, viewport), MOST_SIDE / max(wide, high))
    mirrored = name_of(state.dataset, "ImageHorizontalFlip") == "Y"
    return Placing(left, top, width, height, scale, scale * proportion, quarters, mirrored)


def _part(area: Dataset, columns: int, rows: int) -> tuple[float, float, float, float]:
    """Left, top, width and height; corners are pixels counted from 1, both shown."""
    first = numbers(area.get("DisplayedAreaTopLeftHandCorner")) or [1, 1]
    last = numbers(area.get("DisplayedAreaBottomRightHandCorner")) or [columns, rows]
    if len(first) != 2 or len(last) != 2:
        raise RenderingError("a displayed area without two corners")
    left, right = sorted((first[0], last[0]))
    top, bottom = sorted((first[1], last[1]))
    return left - 1, top - 1, right - left + 1, bottom - top + 1


def _scale(area: Dataset, wide: float, high: float, viewport: Viewport | None) -> float:
    if viewport:
        return min(viewport.width / wide, viewport.height / high)
    if name_of(area, "PresentationSizeMode") == "MAGNIFY":
        ratio = next(iter(numbers(area.get("PresentationPixelMagnificationRatio"))), 1.0)
        return min(max(ratio, 0.01), MOST_SIDE)
    return 1.0


def _proportion(area: Dataset) -> float:
    """Height of a pixel in widths of it."""
    for name in ("PresentationPixelSpacing", "PresentationPixelAspectRatio"):
        values = numbers(area.get(name))
        if len(values) == 2 and min(values) > 0:
            ratio = values[0] / values[1]
            if math.isfinite(ratio) and 1 / _MOST_STRETCHED <= ratio <= _MOST_STRETCHED:
                return ratio
    return 1.0
