"""A synthetic head for demonstrations and tests: nobody's images, true geometry.

Ellipsoids in patient coordinates (millimetres, LPS, the origin in the middle of the head)
are cut by axial slices: skin, skull, brain, two ventricles, two eyes and a round lesion on
the patient's left, so that a viewer that mirrors the image is found out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from apps.dicom.uids import new_uid

FIELD_OF_VIEW = 240.0  # mm
HEAD_HEIGHT = 160.0  # mm between the first and the last slice
CT_OFFSET = 1024  # stored value of 0 HU

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """One ellipsoid: middle and half axes (x, y, z) in mm, and what each modality sees.

    `hounsfield`: HU; `signal`: MR signal, 0 to 1000; `echo`: ultrasound brightness, 0 to 255.
    """

    middle: tuple[float, float, float]
    axes: tuple[float, float, float]
    hounsfield: float
    signal: float
    echo: float


# Painted in this order, each over those before it.
HEAD = (
    Tissue((0, 0, 0), (78, 100, 96), 40, 620, 150),  # skin and muscle
    Tissue((0, 0, 0), (73, 95, 91), 950, 30, 235),  # skull
    Tissue((0, 0, 0), (66, 88, 84), 34, 480, 90),  # brain
    Tissue((-11, -8, 8), (7, 30, 20), 6, 120, 12),  # ventricles
    Tissue((11, -8, 8), (7, 30, 20), 6, 120, 12),
    Tissue((-30, -78, -34), (13, 13, 13), 12, 150, 20),  # eyes
    Tissue((30, -78, -34), (13, 13, 13), 12, 150, 20),
    Tissue((36, 24, 20), (14, 14, 14), 72, 880, 200),  # lesion, on the left
)


def phantom(modality: str, *, slices: int = 32, size: int = 256) -> list[Dataset]:
    """The images of one phantom series, without identity: `CT`, `MR` or `US`.

    `size`: rows and columns. Every image has its own attributes, pixels and SOP class; what
    makes it somebody's (patient, study, series and instance) is for the caller to add.
    Raises ValueError for another modality.
    """
    if modality not in _MAKERS:
        raise ValueError(f"no phantom for modality {modality}")
    make, frame = _MAKERS[modality], new_uid()
    spacing = HEAD_HEIGHT / max(slices - 1, 1)
    noise = np.random.default_rng(20250101)
    images = []
    for number in range(slices):
        height = -HEAD_HEIGHT / 2 + number * spacing
        image = make(height, size, noise)
        image.InstanceNumber = number + 1
        if modality != "US":
            _place(image, height, size, spacing, frame)
        images.append(image)
    return images


def _ct(height: float, size: int, noise: np.random.Generator) -> Dataset:
    values = paint(height, size, lambda tissue: tissue.hounsfield, outside=-1000)
    values += noise.normal(0, 6, values.shape).astype(np.float32)
    image = _image("1.2.840.10008.5.1.4.1.1.2", "CT", values + CT_OFFSET, bits=12)
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -CT_OFFSET, 1, "HU"
    image.WindowCenter, image.WindowWidth = 40, 120
    image.KVP, image.ConvolutionKernel, image.AcquisitionNumber = 120, "PHANTOM", 1
    return image


def _mr(height: float, size: int, noise: np.random.Generator) -> Dataset:
    values = paint(height, size, lambda tissue: tissue.signal, outside=0)
    # Rician, as the magnitude of a complex signal is.
    real = values + noise.normal(0, 12, values.shape)
    values = np.hypot(real, noise.normal(0, 12, values.shape)).astype(np.float32)
    image = _image("1.2.840.10008.5.1.4.1.1.4", "MR", values, bits=12)
    image.WindowCenter, image.WindowWidth = 450, 900
    image.ScanningSequence, image.SequenceVariant = "SE", "NONE"
    image.ScanOptions, image.MRAcquisitionType = "", "2D"
    image.RepetitionTime, image.EchoTime, image.EchoTrainLength = 500, 12, 1
    image.MagneticFieldStrength = 1.5
    return image


def _us(height: float, size: int, noise: np.random.Generator) -> Dataset:
    values = paint(height, size, lambda tissue: tissue.echo, outside=40)
    values *= noise.rayleigh(0.6, values.shape).astype(np.float32)  # speckle
    values[~_sector(size)] = 0
    image = _image("1.2.840.10008.5.1.4.1.1.6.1", "US", values, bits=8)
    image.LossyImageCompression = "00"
    return image


_MAKERS: dict[str, Callable[[float, int, np.random.Generator], Dataset]] = {
    "CT": _ct,
    "MR": _mr,
    "US": _us,
}


def paint(height: float, size: int, shade: Callable[[Tissue], float], *, outside: float) -> Pixels:
    """The slice at `height` mm: [row, column], rows from front to back, columns right to left."""
    across = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * (FIELD_OF_VIEW / size)
    x, y = across[np.newaxis, :], across[:, np.newaxis]
    values = np.full((size, size), outside, dtype=np.float32)
    for tissue in HEAD:
        (mx, my, mz), (ax, ay, az) = tissue.middle, tissue.axes
        inside = ((x - mx) / ax) ** 2 + ((y - my) / ay) ** 2 + ((height - mz) / az) ** 2 <= 1
        values[inside] = shade(tissue)
    return values


def _sector(size: int) -> NDArray[np.bool_]:
    """Where a curved probe at the top sees."""
    row, column = np.mgrid[0:size, 0:size].astype(np.float32)
    down, aside = row + size * 0.15, column - (size - 1) / 2
    distance, angle = np.hypot(down, aside), np.arctan2(aside, down)
    seen: NDArray[np.bool_] = (
        (np.abs(angle) < 0.62) & (distance > size * 0.2) & (distance < size * 1.1)
    )
    return seen


def _image(sop_class: str, modality: str, values: Pixels, *, bits: int) -> Dataset:
    stored = np.clip(np.rint(values), 0, 2**bits - 1)
    image = Dataset()
    image.SOPClassUID, image.Modality = sop_class, modality
    image.ImageType = ["ORIGINAL", "PRIMARY", *(() if modality == "US" else ("AXIAL",))]
    image.Manufacturer, image.BodyPartExamined = "openpacs phantom", "HEAD"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = values.shape
    image.BitsAllocated = 8 if bits == 8 else 16
    image.BitsStored, image.HighBit, image.PixelRepresentation = bits, bits - 1, 0
    kind: Any = np.uint8 if bits == 8 else np.dtype("<u2")
    image.add_new("PixelData", "OB" if bits == 8 else "OW", stored.astype(kind).tobytes())
    return image


def _place(image: Dataset, height: float, size: int, spacing: float, frame: str) -> None:
    """Where the slice lies in the patient (PS3.3 C.7.6.2)."""
    pixel = FIELD_OF_VIEW / size
    corner = -(size - 1) / 2 * pixel
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = frame, ""
    image.PatientPosition = "HFS"
    image.PixelSpacing = [f"{pixel:.6g}", f"{pixel:.6g}"]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.ImagePositionPatient = [f"{corner:.6g}", f"{corner:.6g}", f"{height:.6g}"]
    image.SliceLocation, image.SliceThickness = f"{height:.6g}", f"{spacing:.6g}"
    if image.Modality == "MR":
        image.SpacingBetweenSlices = f"{spacing:.6g}"
