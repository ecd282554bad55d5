"""From stored values to red, green and blue (PS3.3 C.7.6.3.1.2)."""

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from apps.dicom.rendering.grey import grey_levels
from apps.dicom.rendering.options import RenderingError, Window
from apps.dicom.rendering.reading import Frame

Picture = NDArray[np.uint8]
_PALETTE = "PALETTE COLOR"
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_RCT", "YBR_ICT")
_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
# ITU-R BT.601 with headroom: what the standard calls partial.
_FROM_PARTIAL = np.array([[1.1644, 1.1644, 1.1644], [0, -0.3918, 2.0172], [1.5960, -0.8130, 0]])


def picture_of(frame: Frame, window: Window | None) -> Picture:
    """Rows x columns (x 3 where there are colours) of eight bits; raises RenderingError."""
    kind = str(frame.dataset.get("PhotometricInterpretation") or "MONOCHROME2")
    if kind == _PALETTE:
        return _by_palette(frame)
    if kind in _GREY and frame.values.ndim == 2:
        return grey_levels(frame, window)
    if frame.values.ndim != 3:
        raise RenderingError(f"{_known(kind)} with one sample for each pixel")
    if kind in _COLOUR:
        return _eight_bits(frame)
    if kind in _PARTIAL:
        return _from_partial(_eight_bits(frame))
    raise RenderingError(f"colours as {_known(kind)}")


def _known(kind: str) -> str:
    """A photometric interpretation as it may be repeated."""
    return kind if kind.replace("_", "").replace(" ", "").isalnum() and len(kind) <= 16 else "?"


def _by_palette(frame: Frame) -> Picture:
    found = apply_color_lut(frame.values, frame.dataset)
    if found.dtype.itemsize == 1:
        return np.asarray(found, np.uint8)
    return np.asarray(found >> 8, np.uint8)


def _eight_bits(frame: Frame) -> Picture:
    values = frame.values
    if values.dtype.itemsize == 1:
        return np.asarray(values.view(np.uint8))
    stored = int(frame.dataset.get("BitsStored") or values.dtype.itemsize * 8)
    return np.asarray(np.clip(values >> max(stored - 8, 0), 0, 255), np.uint8)


def _from_partial(values: Picture) -> Picture:
    made = (values.astype(np.float64) - (16, 128, 128)) @ _FROM_PARTIAL
    return np.asarray(np.clip(made.round(), 0, 255), np.uint8)
