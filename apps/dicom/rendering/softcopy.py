"""Stored values to what a presentation state makes of them (PS3.4 N.2.1, PS3.3 C.11)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from apps.dicom.rendering.colour import Picture, picture_of
from apps.dicom.rendering.grey import (
    WHITE,
    Floats,
    Levels,
    Mask,
    by_own_table,
    levels_by,
    measured,
    own_window,
    windowed,
)
from apps.dicom.rendering.options import LINEAR_EXACT, Window
from apps.dicom.rendering.reading import Frame
from apps.dicom.rendering.states import KEEPS_COLOURS, State

_OF_PIXELS = ("PixelRepresentation", "BitsAllocated", "BitsStored", "HighBit")
_MODALITY = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept")
_VOI = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
_PALETTE = "RedPaletteColorLookupTableDescriptor"


def softcopy(frame: Frame, state: State) -> Picture:
    """Rows x columns x 3 of eight bits.

    The transformations of the state are used instead of those of the image, also where it
    has none (PS3.4 N.2.1). Of images that have colours those stay as they are.
    """
    kind = str(state.dataset.get("SOPClassUID") or "")
    if frame.values.ndim != 2 or kind in KEEPS_COLOURS or _has_palette(frame.dataset):
        return _three(picture_of(frame, None))
    plain = Frame(frame.values, _scope(frame, state), 1)

    def shown(stored: Floats, _seen: Callable[[], Mask]) -> Levels:
        return _presented(_windowed(stored, plain), state.dataset)

    return _three(levels_by(plain, shown))


def _has_palette(dataset: Dataset) -> bool:
    return str(dataset.get("PhotometricInterpretation")) == "PALETTE COLOR"


def _three(picture: Picture) -> Picture:
    return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def _scope(frame: Frame, state: State) -> Dataset:
    """How the pixels are stored, with what the state says of them."""
    scope = Dataset()
    voi = state.chosen("SoftcopyVOILUTSequence") or Dataset()
    for source, names in ((frame.dataset, _OF_PIXELS), (state.dataset, _MODALITY), (voi, _VOI)):
        for name in names:
            if name in source:
                scope[name] = source[name]
    return scope


def _windowed(stored: Floats, frame: Frame) -> Floats:
    """0 to 255, before the presentation LUT."""
    values = measured(stored, frame)
    if window := own_window(frame):
        return windowed(values, window)
    tabled = by_own_table(values, frame.dataset)
    return windowed(values, _everything(frame)) if tabled is None else tabled


def _everything(frame: Frame) -> Window:
    """The identity: all that the modality transformation can give (PS3.4 N.2.1.2)."""
    tables = frame.dataset.get("ModalityLUTSequence")
    if tables:
        ends = np.array([0, (1 << _bits(tables[0].LUTDescriptor[2])) - 1], np.float64)
    else:
        bits = _bits(frame.dataset.get("BitsStored") or frame.values.dtype.itemsize * 8)
        lowest = -(1 << (bits - 1)) if frame.dataset.get("PixelRepresentation") == 1 else 0
        ends = measured(np.array([lowest, lowest + (1 << bits) - 1], np.float64), frame)
    first, last = float(ends.min()), float(ends.max())
    return Window((first + last) / 2, last - first, LINEAR_EXACT)


def _bits(value: object) -> int:
    return min(max(int(str(value)), 1), 32)


def _presented(levels: Floats, state: Dataset) -> Levels:
    """The presentation LUT (PS3.3 C.11.6), or the colours of C.7.9; eight bits."""
    levels = np.nan_to_num(levels, nan=0.0)
    if _PALETTE in state:
        return _coloured(levels, state)
    tables = state.get("PresentationLUTSequence")
    if tables:
        table = _entries(tables[0])
        levels = table[np.rint(levels / WHITE * (len(table) - 1)).astype(np.int64)] * WHITE
    elif str(state.get("PresentationLUTShape")) == "INVERSE":
        levels = WHITE - levels
    return np.asarray(levels.round(), np.uint8)


def _entries(table: Dataset) -> Floats:
    """The entries of a LUT, 0 to 1 each."""
    count, _first, bits = (int(one) for one in table.LUTDescriptor)
    data = table.LUTData
    if isinstance(data, bytes):
        cells: NDArray[np.generic] = np.frombuffer(data, "u1" if len(data) == count else "<u2")
    else:
        cells = np.asarray(data)
    most = (1 << min(max(bits, 1), 16)) - 1
    return np.clip(cells.astype(np.float64)[: count or 1 << 16] / most, 0, 1)


def _coloured(levels: Floats, state: Dataset) -> Picture:
    count, first, _bits = (int(one) for one in state[_PALETTE].value)
    places = np.rint(levels / WHITE * ((count or 1 << 16) - 1)).astype(np.int64) + first
    found = apply_color_lut(places, state)
    return np.asarray(found if found.dtype.itemsize == 1 else found >> 8, np.uint8)
