"""Stacks of CT slices through a ball of known place and size, tilted or uneven as a test likes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from apps.dicom.uids import new_uid
from tests.dicom.objects import ct_image

Array = NDArray[np.float64]
CENTRE = np.array([6.0, -9.0, 4.0])  # mm, of the ball
RADIUS = 21.0
INSIDE, OUTSIDE = 300.0, -1000.0  # HU
SIZE, PIXEL = 72, 1.0


def ball(points: Array) -> Array:
    """HU at points (..., 3) in mm; the surface is 2 mm deep, as a scanner would blur it."""
    away = np.linalg.norm(points - CENTRE, axis=-1)
    share: Array = np.clip((RADIUS - away) / 2 + 0.5, 0, 1)
    return OUTSIDE + share * (INSIDE - OUTSIDE)


def ramp(points: Array) -> Array:
    """HU that grow evenly, which linear interpolation keeps."""
    slope: Array = points @ np.array([2.0, -3.0, 4.0])
    return slope


def stack(
    *,
    tilt: float = 0.0,
    heights: Sequence[float] = tuple(np.arange(-40, 41, 2.5)),
    shade: Callable[[Array], Array] = ball,
    **values: Any,
) -> list[Dataset]:
    """Slices whose middles lie at `heights` on the z axis, turned by `tilt` degrees about x."""
    turn = math.radians(tilt)
    across, down = np.array([1.0, 0, 0]), np.array([0, math.cos(turn), math.sin(turn)])
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL
    plane = steps[None, :, None] * across + steps[:, None, None] * down
    same = {
        "StudyInstanceUID": new_uid(),
        "SeriesInstanceUID": new_uid(),
        "FrameOfReferenceUID": new_uid(),
    }
    images = []
    for number, height in enumerate(heights, start=1):
        points = plane + np.array([0, 0, height])
        stored = np.rint(shade(points) + 1024)
        placed = {
            "ImagePositionPatient": [f"{one:.8g}" for one in points[0, 0]],
            "ImageOrientationPatient": [f"{one:.10g}" for one in (*across, *down)],
            "PixelSpacing": [PIXEL, PIXEL],
            "InstanceNumber": number,
            "PixelData": np.clip(stored, 0, 4095).astype("<u2").tobytes(),
        }
        images.append(ct_image(**{**SLICE, **same, **placed, **values}))
    return images


# What a CT image needs beside its place.
SLICE: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Manufacturer": "Tests",
    "Rows": SIZE,
    "Columns": SIZE,
    "SliceThickness": "2.5",
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "RescaleType": "HU",
    "WindowCenter": 40,
    "WindowWidth": 400,
    "KVP": 120,
    "AcquisitionNumber": 1,
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "",
}


def voxels(images: Sequence[Dataset]) -> tuple[Array, Array]:
    """Places in mm (n, rows, columns, 3) and HU of a series, taken from its headers."""
    places, values = [], []
    for one in images:
        direction = np.array([float(part) for part in one.ImageOrientationPatient])
        rows, columns = np.mgrid[: one.Rows, : one.Columns]
        down, across = (float(part) for part in one.PixelSpacing)
        places.append(
            np.array([float(part) for part in one.ImagePositionPatient])
            + columns[..., None] * across * direction[:3]
            + rows[..., None] * down * direction[3:]
        )
        kind = "<i2" if one.PixelRepresentation else "<u2"
        stored = np.frombuffer(one.PixelData, kind).reshape(one.Rows, one.Columns)
        values.append(stored * float(one.RescaleSlope) + float(one.RescaleIntercept))
    return np.array(places), np.array(values)
