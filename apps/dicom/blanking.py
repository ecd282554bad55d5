"""Blanking regions of plain pixels: what was written there is gone (PS3.15 E.3.1)."""

from collections.abc import Iterable, Sequence

import numpy as np
from pydicom.dataset import Dataset

Region = Sequence[int]  # left, top, width, height in pixels


def blank(dataset: Dataset, regions: Iterable[Region]) -> None:
    """Set regions of all frames to the darkest value, and say that the image was derived.

    The pixels must not be compressed. Raises ValueError where they are not as the header says.
    """
    cells = _cells(dataset)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    darkest = _darkest(dataset, cells)
    for left, top, width, height in regions:
        area = (slice(top, min(top + height, rows)), slice(left, min(left + width, columns)))
        cells[:, *area] = darkest
    raw = _flat(dataset, cells).tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    values = list(dataset.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    dataset.ImageType = ["DERIVED", *values[1:]]


def _cells(dataset: Dataset) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    """[frame, row, column, sample]; a copy."""
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16, 32):
        raise ValueError("pixels of another width")
    samples = int(dataset.SamplesPerPixel)
    frames = int(dataset.get("NumberOfFrames") or 1)
    shape = (frames, int(dataset.Rows), int(dataset.Columns), samples)
    if _by_plane(dataset):
        shape = (frames, samples, shape[1], shape[2])
    kind = f"<{'i' if int(dataset.PixelRepresentation) else 'u'}{bits // 8}"
    found = np.frombuffer(dataset.PixelData, kind, int(np.prod(shape))).reshape(shape)
    return (found.transpose(0, 2, 3, 1) if _by_plane(dataset) else found).copy()


def _flat(
    dataset: Dataset, cells: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    return cells.transpose(0, 3, 1, 2) if _by_plane(dataset) else cells


def _by_plane(dataset: Dataset) -> bool:
    return int(dataset.SamplesPerPixel) > 1 and int(dataset.get("PlanarConfiguration") or 0) == 1


def _darkest(
    dataset: Dataset, cells: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
) -> "int | list[int]":
    """Black: the lowest value, the highest of inverted images, no colour."""
    meaning = str(dataset.PhotometricInterpretation)
    if meaning.startswith("YBR"):
        return [0, 128, 128]
    if meaning == "PALETTE COLOR" or int(dataset.SamplesPerPixel) > 1:
        return 0
    return int(cells.max() if meaning == "MONOCHROME1" else cells.min())
