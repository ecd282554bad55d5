"""What a presentation state says of one image (PS3.3 A.33, C.11.11, C.10.4 to C.10.7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

Colour = tuple[int, int, int]
_GREY, _COLOUR, _PSEUDO, _XRAY = (f"1.2.840.10008.5.1.4.1.1.11.{one}" for one in (1, 2, 3, 5))
APPLIED = frozenset({_GREY, _COLOUR, _PSEUDO, _XRAY})  # classes of states that are applied here
KEEPS_COLOURS = frozenset({_COLOUR})
MOST_ITEMS = 5000  # of graphics and text in one state
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_WHITE: Colour = (255, 255, 255)
_LAYER = 0x1001  # of an overlay: the layer that it is drawn in
# XYZ relative to D50, as CIELab has it, to linear sRGB (Bradford).
_TO_RGB = (
    (3.1339, -1.6169, -0.4906),
    (-0.9788, 1.9161, 0.0335),
    (0.0719, -0.2290, 1.4052),
)
_D50 = (0.9642, 1.0, 0.8249)


@dataclass(frozen=True)
class State:
    """A presentation state, and the frame of the image that it is applied to."""

    dataset: Dataset
    image: str
    frame: int

    def items(self, name: str) -> list[Dataset]:
        """The items of a sequence that are about this frame; those without references are."""
        return [one for one in self.dataset.get(name) or [] if self._concerns(one)]

    def chosen(self, name: str) -> Dataset | None:
        """The one item about this frame."""
        return next(iter(self.items(name)), None)

    def layers(self) -> list[tuple[str, Colour]]:
        """Names and colours of the layers, the lowest first (PS3.3 C.10.7)."""
        rows = sorted(self.dataset.get("GraphicLayerSequence") or [], key=_order)
        return [(name_of(one, "GraphicLayer"), _layer_colour(one)) for one in rows]

    def overlays(self, layer: str) -> Iterator[int]:
        """The groups of the overlays that are shown in a layer (PS3.3 C.11.7)."""
        for group in OVERLAY_GROUPS:
            element = self.dataset.get((group, _LAYER))
            if element is not None and str(element.value or "").strip() == layer:
                yield group

    def _concerns(self, item: Dataset) -> bool:
        references = item.get("ReferencedImageSequence")
        return not references or any(self._names(one) for one in references)

    def _names(self, reference: Dataset) -> bool:
        frames = numbers(reference.get("ReferencedFrameNumber"))
        uid = str(reference.get("ReferencedSOPInstanceUID") or "")
        return uid == self.image and (not frames or self.frame in frames)


def name_of(item: Dataset, keyword: str) -> str:
    """A code string or text, without blanks around it."""
    return str(item.get(keyword) or "").strip()


def numbers(value: Any) -> list[float]:
    """All values as numbers; raises ValueError where one is none, or is endless."""
    if value is None or value == "":
        return []
    several = isinstance(value, Sequence) and not isinstance(value, str)
    found = [float(one) for one in (value if several else [value])]
    if not all(abs(one) < 1e9 for one in found):
        raise ValueError("not a number to reckon with")
    return found


def from_grey(value: float) -> Colour:
    """A P-Value of 0 to 65535."""
    level = round(min(max(value, 0), 65535) / 257)
    return (level, level, level)


def from_cielab(values: Sequence[float]) -> Colour:
    """L*, a* and b* as 0 to 65535 (PS3.3 C.10.7.1.1), as sRGB."""
    lightness = values[0] / 65535 * 100
    a, b = (one / 65535 * 255 - 128 for one in values[1:3])
    y = (lightness + 16) / 116
    parts = (y + a / 500, y, y - b / 200)
    xyz = [white * _cubed(part) for white, part in zip(_D50, parts, strict=True)]
    red, green, blue = (
        _encoded(sum(factor * one for factor, one in zip(row, xyz, strict=True))) for row in _TO_RGB
    )
    return (red, green, blue)


def _cubed(part: float) -> float:
    return part**3 if part > 6 / 29 else 3 * (6 / 29) ** 2 * (part - 4 / 29)


def _encoded(linear: float) -> int:
    light = min(max(linear, 0.0), 1.0)
    curved = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return round(curved * 255)


def _order(layer: Dataset) -> float:
    return next(iter(numbers(layer.get("GraphicLayerOrder"))), 0.0)


def _layer_colour(layer: Dataset) -> Colour:
    """What is recommended for it: a colour if there is one, else a grey, else white."""
    lab = numbers(layer.get("GraphicLayerRecommendedDisplayCIELabValue"))
    if len(lab) == 3:
        return from_cielab(lab)
    grey = numbers(layer.get("GraphicLayerRecommendedDisplayGrayscaleValue"))
    return from_grey(grey[0]) if grey else _WHITE
