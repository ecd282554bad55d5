"""From stored values to grey levels: modality, VOI and presentation (PS3.3 C.11, PS3.4 N.2)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from apps.dicom.rendering.options import LINEAR, LINEAR_EXACT, SIGMOID, Window
from apps.dicom.rendering.reading import Frame

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
WHITE = 255
_FUNCTIONS = {"LINEAR": LINEAR, "LINEAR_EXACT": LINEAR_EXACT, "SIGMOID": SIGMOID}
_STEEPEST = 500.0  # exponents beyond it are black or white anyhow


def grey_levels(frame: Frame, window: Window | None) -> Levels:
    """Rows x columns of 0 (black) to 255 (white); without `window` by what the header says."""

    def shown(stored: Floats, seen: Callable[[], Mask]) -> Levels:
        return _shown(stored, seen, frame, window)

    return levels_by(frame, shown)


def levels_by(frame: Frame, shown: Callable[[Floats, Callable[[], Mask]], Levels]) -> Levels:
    """What `shown` makes of the stored values; it is asked for each that can be, where few can.

    It is given the values, and what tells which of them are in the image.
    """
    values = frame.values
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return _by_table(frame, shown)
    stored = values.astype(np.float64)

    def seen() -> Mask:
        return np.isfinite(stored) & ~_padding(stored, frame.dataset)

    return shown(stored, seen)


def windowed(values: Floats, window: Window) -> Floats:
    """Values after VOI LUT functions, 0 to 255 (PS3.3 C.11.2.1.2.1, C.11.2.1.3)."""
    center, width = window.center, window.width
    if window.function == SIGMOID:
        slope = np.clip(-4 * (values - center) / width, -_STEEPEST, _STEEPEST)
        return np.asarray(WHITE / (1 + np.exp(slope)))
    if window.function == LINEAR and width >= 1:
        center, width = center - 0.5, width - 1
    if width == 0:
        return np.where(values <= center, 0.0, WHITE)
    return np.asarray(np.clip((values - center) / width + 0.5, 0, 1) * WHITE)


def group_of(frame: Frame, name: str) -> Dataset | None:
    """The functional group of a frame, its own or that of all frames (PS3.3 C.7.6.16)."""
    own = frame.dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = frame.dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (own[frame.number - 1 : frame.number], shared[:1]):
        for group in groups:
            if found := group.get(name):
                return Dataset(found[0])
    return None


def _by_table(frame: Frame, shown: Callable[[Floats, Callable[[], Mask]], Levels]) -> Levels:
    """What becomes of every value that can be, then of each pixel by looking it up."""
    cells = frame.values.view(f"u{frame.values.dtype.itemsize}")
    allocated = cells.dtype.itemsize * 8
    few = int(frame.dataset.get("BitsStored") or allocated) <= 8  # all levels mean themselves
    count = 1 << allocated if few or not cells.size else int(cells.max()) + 1
    stored = _meanings(frame.dataset, allocated, count)

    def seen() -> Mask:
        if few:
            return np.ones(count, np.bool_)
        there = np.zeros(count, np.bool_)
        there[cells] = True
        return there & ~_padding(stored, frame.dataset)

    # "clip" never has to: it only spares numpy another look at every pixel.
    return np.asarray(np.take(shown(stored, seen), cells, axis=0, mode="clip"))


def _meanings(dataset: Dataset, allocated: int, count: int) -> Floats:
    """The numbers that the first so many contents of a cell stand for (PS3.5 8.1.1)."""
    stored = min(max(int(dataset.get("BitsStored") or allocated), 1), allocated)
    lowest = min(max(int(dataset.get("HighBit") or stored - 1), stored - 1), allocated - 1)
    cells = np.arange(count) >> (lowest + 1 - stored) & (1 << stored) - 1
    if dataset.get("PixelRepresentation") == 1:
        cells = np.where(cells >> (stored - 1), cells - (1 << stored), cells)
    return cells.astype(np.float64)


def _padding(stored: Floats, dataset: Dataset) -> Mask:
    """Which values stand for nothing (PS3.3 C.7.5.1.1.2)."""
    first = _number(dataset, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, np.bool_)
    last = _number(dataset, "PixelPaddingRangeLimit")
    first, last = sorted((first, first if last is None else last))
    return np.asarray((stored >= first) & (stored <= last))


def _shown(stored: Floats, seen: Callable[[], Mask], frame: Frame, window: Window | None) -> Levels:
    """Levels for values, of which those `seen` are in the image."""
    values = measured(stored, frame)
    window = window or own_window(frame)
    if window:
        levels = windowed(values, window)
    else:
        tabled = by_own_table(values, frame.dataset)
        levels = _full_range(values, seen()) if tabled is None else tabled
    levels = np.nan_to_num(levels, nan=0.0)
    return (WHITE - levels if _is_inverted(frame.dataset) else levels).round().astype(np.uint8)


def measured(stored: Floats, frame: Frame) -> Floats:
    """The modality transformation (PS3.3 C.11.1; per frame C.7.6.16.2.9)."""
    if group := group_of(frame, "PixelValueTransformationSequence"):
        return _rescaled(stored, group)
    if frame.dataset.get("ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(stored.astype(np.int64), frame.dataset), np.float64)
    return _rescaled(stored, frame.dataset)


def _rescaled(stored: Floats, scope: Dataset) -> Floats:
    slope, intercept = _number(scope, "RescaleSlope"), _number(scope, "RescaleIntercept")
    if slope is None or intercept is None:
        return stored
    with np.errstate(all="ignore"):
        return stored * slope + intercept


def own_window(frame: Frame) -> Window | None:
    """The first window of the header that is one (PS3.3 C.11.2.1.2; per frame C.7.6.16.2.10)."""
    scope = group_of(frame, "FrameVOILUTSequence") or frame.dataset
    center, width = _number(scope, "WindowCenter"), _number(scope, "WindowWidth")
    if center is None or width is None or width <= 0:
        return None
    name = str(scope.get("VOILUTFunction") or "LINEAR").strip()
    return Window(center, width, _FUNCTIONS.get(name, LINEAR))


def by_own_table(values: Floats, dataset: Dataset) -> Floats | None:
    """Values after the first VOI LUT of the header, 0 to 255 (PS3.3 C.11.2.1.1)."""
    tables = dataset.get("VOILUTSequence")
    if not tables:
        return None
    scope = Dataset()
    scope.VOILUTSequence = tables
    # Its first value is signed where the pixels are, or may be after the modality's step.
    scope.PixelRepresentation = int(values.min() < 0)
    found = apply_voi(values.round().astype(np.int64), scope).astype(np.float64)
    bits = int(tables[0].LUTDescriptor[2])
    return np.asarray(np.clip(found / ((1 << min(max(bits, 1), 16)) - 1), 0, 1) * WHITE)


def _full_range(values: Floats, seen: Mask) -> Floats:
    """Without any window: from the lowest to the highest value in the image."""
    found = values[seen]
    lowest, highest = (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    if not highest > lowest:
        return np.zeros_like(values)
    middle = lowest / 2 + highest / 2
    return windowed(values, Window(middle, highest - lowest, LINEAR_EXACT))


def _is_inverted(dataset: Dataset) -> bool:
    """PS3.3 C.7.6.3.1.2, C.11.6: one of the two is enough, both say the same."""
    shape = str(dataset.get("PresentationLUTShape"))
    return shape == "INVERSE" or str(dataset.PhotometricInterpretation) == "MONOCHROME1"


def _number(scope: Dataset, name: str) -> float | None:
    """The first value, where it is a number one can reckon with."""
    value: Any = scope.get(name)
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
