"""What the stored values of grey images mean, and how they are worked with (PS3.3 C.7.6.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from apps.dicom.regularising import Plane, Reason, UnfitError

CT, MR, PT = (f"1.2.840.10008.5.1.4.1.1.{one}" for one in ("2", "4", "128"))
SOP_CLASSES = frozenset({CT, MR, PT})
AIR_HOUNSFIELD = -1000.0
_SIXTEEN_BITS = 32767


@dataclass(frozen=True)
class Scale:
    """What stored values mean, in the sources and in what is made of them.

    `alike`: all sources have one scale, and stored values are worked with. Otherwise real
    ones are, and `slope` makes them stored ones of 16 bits. `padding` and `fill` are in the
    values that are worked with: no measurement, and where no slice reaches.
    """

    alike: bool
    slope: float
    bits: tuple[int, int, int]  # allocated, stored, signed
    fill: float
    padding: float | None


def scale_of(headers: Sequence[Dataset]) -> Scale:
    """How the values of a series are worked with; raises UnfitError."""
    first = headers[0]
    if any(str(one.get("SOPClassUID")) not in SOP_CLASSES for one in headers):
        raise UnfitError(Reason.SOP_CLASS)
    if not all(map(_is_linear_grey, headers)):
        raise UnfitError(Reason.PIXELS)
    alike = len({(*_line(one), *_bits(one), _padding(one)) for one in headers}) == 1
    if not alike:
        furthest = max(map(_furthest, headers))
        air = AIR_HOUNSFIELD if first.SOPClassUID == CT else 0.0
        return Scale(False, furthest / _SIXTEEN_BITS, (16, 16, 1), air, None)
    padding = _padding(first)
    fill = _air(first) if padding is None else padding
    return Scale(True, _line(first)[0], _bits(first), fill, padding)


def worked_values(image: Dataset, scale: Scale) -> Plane:
    """The pixels of one decoded source image, as numbers that may be mixed.

    Raises ValueError where there are fewer than the header says.
    """
    allocated, _stored, signed = _bits(image)
    rows, columns = int(image.Rows), int(image.Columns)
    kind = np.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    pixels = np.frombuffer(image.PixelData, kind, rows * columns).reshape(rows, columns)
    values: Plane = pixels.astype(np.float64) if allocated > 16 else pixels.astype(np.float32)
    if scale.alike:
        return values
    slope, intercept = _line(image)
    real: Plane = values * values.dtype.type(slope) + values.dtype.type(intercept)
    padding = _padding(image)
    if padding is not None:
        real[values == padding] = scale.fill
    return real


def stored_values(values: Plane, scale: Scale) -> bytes:
    """Numbers that were worked with as the value of Pixel Data, little endian."""
    allocated, _stored, signed = scale.bits
    lowest, highest = _ends(scale.bits)
    numbers = values if scale.alike else values / scale.slope
    if scale.padding is not None:  # which may lie beyond the bits that are stored
        lowest, highest = min(lowest, int(scale.padding)), max(highest, int(scale.padding))
    kind = np.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    pixels = np.clip(np.rint(numbers), lowest, highest).astype(kind).tobytes()
    return pixels + b"\0" * (len(pixels) % 2)


def _is_linear_grey(header: Dataset) -> bool:
    colours = str(header.get("PhotometricInterpretation", ""))
    allocated, stored, _signed = _bits(header)
    return (
        colours in ("MONOCHROME1", "MONOCHROME2")
        and "ModalityLUTSequence" not in header
        and allocated in (8, 16, 32)
        and 0 < stored <= allocated
        and int(header.get("HighBit", stored - 1)) == stored - 1
        and _line(header)[0] != 0
    )


def _bits(header: Dataset) -> tuple[int, int, int]:
    names = ("BitsAllocated", "BitsStored", "PixelRepresentation")
    allocated, stored, signed = (int(header.get(name) or 0) for name in names)
    return allocated, stored, signed


def _line(header: Dataset) -> tuple[float, float]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return (1.0 if slope is None else float(slope)), float(intercept or 0)


def _padding(header: Dataset) -> float | None:
    """As a stored value: files exist whose padding value has the wrong sign (PS3.3 C.7.5.1.1.2)."""
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    allocated, _stored, signed = _bits(header)
    value &= (1 << allocated) - 1
    return float(value - (1 << allocated) if signed and value >> allocated - 1 else value)


def _furthest(header: Dataset) -> float:
    """The largest real value that a source image can have, sign aside."""
    slope, intercept = _line(header)
    return max(abs(slope * one + intercept) for one in _ends(_bits(header)))


def _air(header: Dataset) -> float:
    """The stored value of nothing: -1000 HU, or no signal."""
    (slope, intercept), (lowest, highest) = _line(header), _ends(_bits(header))
    real = AIR_HOUNSFIELD if str(header.SOPClassUID) == CT else 0.0
    return float(min(max(round((real - intercept) / slope), lowest), highest))


def _ends(bits: tuple[int, int, int]) -> tuple[int, int]:
    _allocated, stored, signed = bits
    half = 1 << stored - 1
    return (-half, half - 1) if signed else (0, 2 * half - 1)
