"""How the slices of a series lie in the patient: stacked evenly, tilted, with gaps, or not at all.

The viewer (isDisplaySetReconstructable of OHIF 3.13) takes the distances between neighbours,
20 % around their mean being even, and does not look aside: it builds the volume of a tilted
gantry askew and closes the gaps of missing slices. What is regular here is so for the viewer,
too; what is regular for the viewer need not be so here.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from apps.dicom.header import WalkError, elements

Floats = NDArray[np.float64]

EVEN = 0.2  # of the mean distance, by which a distance may differ: the viewer's tolerance
SAME_DIRECTION = 0.01  # by which components of direction cosines may differ: the viewer's too
# Half a step: what lies nearer to its place is drawn into its own pixel or slice.
ASIDE = 0.5  # of a pixel
ASTRAY = 0.5  # of the mean distance, that slices may be away from where even ones would lie
STRAIGHT_DEGREES = 0.1  # smaller angles come from rounded direction cosines
ONE_PLACE = 0.05  # of the mean distance: images nearer than that show the same place
MOST_LATERAL = 1.5  # tangent (56 degrees): planes that lie more beside than behind one another
_IMAGE_TYPE = 0x00080008
_POSITION, _ORIENTATION, _SPACING = 0x00200032, 0x00200037, 0x00280030
_SAMPLES, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280008, 0x00280010, 0x00280011
_ASKED = frozenset(
    {
        *(_IMAGE_TYPE, _POSITION, _ORIENTATION, _SPACING),
        *(_SAMPLES, _FRAMES, _ROWS, _COLUMNS),
    }
)


class Kind(StrEnum):
    REGULAR = "regular"
    TILTED = "tilted"
    UNEVEN = "uneven"
    MIXED = "mixed"  # of several directions, sizes or places
    NO_VOLUME = "no-volume"  # localizers, single images, images without a place


@dataclass(frozen=True)
class Slice:
    """What the header of an image says of its place (PS3.3 C.7.6.2, C.7.6.3).

    `position` in mm; `orientation`: direction cosines of a row, then of a column; `spacing`:
    mm between rows, then between columns.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    rows: int
    columns: int
    samples: int = 1
    frames: int = 1
    localizer: bool = False

    @property
    def is_placed(self) -> bool:
        """Does it say all that is needed, in numbers that can be meant?"""
        numbers = (*self.position, *self.orientation, *self.spacing)
        lengths = (len(self.position), len(self.orientation), len(self.spacing))
        if lengths != (3, 6, 2) or not all(map(math.isfinite, numbers)):
            return False
        across, down = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        units = np.allclose([across @ across, down @ down, across @ down], [1, 1, 0], atol=0.01)
        return bool(units and min(self.spacing) > 0 and self.rows > 0 and self.columns > 0)


@dataclass(frozen=True)
class Geometry:
    """What a series is, and by how much.

    `order`: its images along the normal. `heights`: mm along the normal from the first;
    `aside`: (n, 2) mm along rows and columns from the first. `tilt_degrees`: between the
    normal and the direction of stacking. `missing`: slices that would fill gaps.
    """

    kind: Kind
    order: tuple[int, ...] = ()
    heights: Floats | None = None
    aside: Floats | None = None
    tilt_degrees: float = 0.0
    missing: int = 0

    @property
    def gaps(self) -> Floats:
        """mm between neighbours along the normal."""
        return np.diff(self.heights) if self.heights is not None else np.empty(0)

    @property
    def can_be_made_regular(self) -> bool:
        return self.kind in (Kind.TILTED, Kind.UNEVEN)


def read_slice(header: bytes, *, explicit_vr: bool) -> Slice:
    """The place of an image by its header; one that cannot be read is not placed."""
    raw: dict[int, bytes] = {}
    try:
        for one in elements(header, 0, len(header), explicit_vr=explicit_vr):
            if one.tag > max(_ASKED):
                break
            if one.tag in _ASKED:
                raw[one.tag] = header[one.offset : one.offset + one.length]
    except (WalkError, struct.error):
        raw = {}
    return Slice(
        position=_decimals(raw.get(_POSITION, b"")),
        orientation=_decimals(raw.get(_ORIENTATION, b"")),
        spacing=_decimals(raw.get(_SPACING, b"")),
        rows=_short(raw.get(_ROWS, b"")),
        columns=_short(raw.get(_COLUMNS, b"")),
        samples=_short(raw.get(_SAMPLES, b"\1\0")),
        frames=int((*_decimals(raw.get(_FRAMES, b"")), 1)[0]),
        localizer=b"LOCALIZER" in raw.get(_IMAGE_TYPE, b""),
    )


def geometry_of(slices: Sequence[Slice]) -> Geometry:
    """What the images of one series are together."""
    if len(slices) < 2 or not all(_is_slice(one) for one in slices):
        return Geometry(Kind.NO_VOLUME)
    if not _are_alike(slices):
        return Geometry(Kind.MIXED)
    across, down, normal = axes_of(slices[0])
    places = np.array([one.position for one in slices])
    order = np.argsort(places @ normal, kind="stable")
    away = places[order] - places[order[0]]
    heights, aside = away @ normal, np.stack([away @ across, away @ down], axis=1)
    mean = heights[-1] / (len(slices) - 1)
    sideways = float(np.linalg.norm(aside, axis=1).max())
    if heights[-1] * MOST_LATERAL < sideways or mean <= 0:
        return Geometry(Kind.NO_VOLUME)
    if np.diff(heights).min() < ONE_PLACE * mean:
        return Geometry(Kind.MIXED)
    tilt = _tilt(heights, aside)
    pixel = min(slices[0].spacing)
    found = (tuple(map(int, order)), heights, aside, tilt, missing_in(heights))
    if sideways > ASIDE * pixel and _is_askew(heights, aside, tilt, pixel):
        return Geometry(Kind.TILTED, *found)
    return Geometry(Kind.REGULAR if _is_even(heights, away) else Kind.UNEVEN, *found)


def axes_of(one: Slice) -> tuple[Floats, Floats, Floats]:
    """Unit vectors along a row, along a column, and their normal."""
    across = np.array(one.orientation[:3], dtype=float)
    down = np.array(one.orientation[3:], dtype=float)
    across /= np.linalg.norm(across)
    normal = np.cross(across, down)
    normal /= np.linalg.norm(normal)
    return across, np.cross(normal, across), normal


def missing_in(heights: Floats) -> int:
    """How many slices would fill the gaps that are whole multiples of the usual distance."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    counts = np.rint(gaps / usual)
    whole = (counts > 1) & (np.abs(gaps - counts * usual) < EVEN * usual)
    return int((counts[whole] - 1).sum())


def _short(raw: bytes) -> int:
    return int.from_bytes(raw[:2], "little")


def _decimals(raw: bytes) -> tuple[float, ...]:
    """The numbers of a DS or IS; none where one of them is none, or without end."""
    try:
        numbers = tuple(float(one) for one in raw.decode("ascii").strip(" \0").split("\\"))
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _is_slice(one: Slice) -> bool:
    return one.is_placed and not one.localizer and one.frames == 1


def _are_alike(slices: Sequence[Slice]) -> bool:
    first = slices[0]
    shapes = {(one.rows, one.columns, one.samples) for one in slices}
    directions = np.array([one.orientation for one in slices])
    spacings = np.array([one.spacing for one in slices])
    return (
        len(shapes) == 1
        and bool((np.abs(directions - first.orientation) < SAME_DIRECTION).all())
        and bool(np.allclose(spacings, first.spacing, rtol=1e-3))
    )


def _tilt(heights: Floats, aside: Floats) -> float:
    """Degrees between the normal and the line that fits the slices' corners best."""
    slope = heights @ aside / (heights @ heights)
    return math.degrees(math.atan(float(np.linalg.norm(slope))))


def _is_askew(heights: Floats, aside: Floats, tilt: float, pixel: float) -> bool:
    """Leaning, or with slices that lie beside the line of the others."""
    slope = heights @ aside / (heights @ heights)
    beside = np.linalg.norm(aside - np.outer(heights, slope), axis=1)
    return tilt > STRAIGHT_DEGREES or bool(beside.max() > ASIDE * pixel)


def _is_even(heights: Floats, away: Floats) -> bool:
    """By the viewer's rule, and each slice near where an even stack would have it."""
    distances = np.linalg.norm(np.diff(away, axis=0), axis=1)
    mean = float(np.linalg.norm(away[-1])) / len(distances)
    even = np.linspace(0, heights[-1], len(heights))
    return bool(
        (np.abs(distances - mean) < EVEN * mean).all()
        and np.abs(heights - even).max() <= ASTRAY * mean
    )
