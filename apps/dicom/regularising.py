"""From slices that lie anyhow behind one another to a grid of voxels with right angles.

The planes keep their direction. Each source slice is put where it lies (within the plane by
linear interpolation, which straightens a tilted gantry by shearing), and between two of them
values are interpolated along the normal. A new plane that lies where a slice was is that
slice. Never more than three planes are held: the size of a series costs time, not memory.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from apps.dicom.stacks import EVEN, Floats, Geometry, Kind, Slice

Plane = NDArray[np.float32] | NDArray[np.float64]

MOST_VOXELS = 1 << 28  # 512 MB of 16 bits: 512 x 512 x 1024
MOST_TIMES = 4  # as many planes as there were slices
WIDEST_GAP = 10.0  # mm that are always bridged
WIDEST_STEPS = 4  # and gaps of so many steps
FINEST = 0.1  # the share of gaps that may be smaller than the step
IN_PLACE = 1 / 256  # of a pixel or step: nearer is the same place


class Reason(StrEnum):
    """Why a series is not made regular."""

    REGULAR = "regular"
    MIXED = "mixed"
    NO_VOLUME = "no-volume"
    TOO_LARGE = "too-large"
    WIDE_GAP = "wide-gap"
    SOP_CLASS = "sop-class"
    PIXELS = "pixels"


class UnfitError(ValueError):
    """This series cannot be made regular; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class Grid:
    """Where the new voxels lie.

    `heights`: mm of each plane along the normal, from the first slice; `corner`: mm along
    rows and columns from the first slice's first pixel to the grid's; `shifts`: (n, 2) pixels
    from there to each slice's first pixel, along columns (rows down), then along rows.
    """

    rows: int
    columns: int
    heights: Floats
    corner: Floats
    shifts: Floats

    @property
    def spacing(self) -> float:
        """mm between planes."""
        return float(self.heights[1] - self.heights[0])


@dataclass(frozen=True)
class Made:
    """A new plane, and between which slices it lies: `weight` of the upper one, 0 to below 1."""

    values: Plane
    lower: int
    upper: int
    weight: float

    @property
    def nearest(self) -> int:
        return self.upper if self.weight > 0.5 else self.lower

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.lower, self.upper) if self.weight else (self.lower,)


def grid_for(first: Slice, geometry: Geometry) -> Grid:
    """The grid that takes all slices up; raises UnfitError.

    `first`: any slice, as all have the same size and direction.
    """
    if geometry.heights is None or geometry.aside is None or not geometry.can_be_made_regular:
        raise UnfitError(_WHY.get(geometry.kind, Reason.NO_VOLUME))
    heights = _even_heights(geometry, min(first.spacing))
    # Columns of `aside` lie along rows and columns: steps between columns, then between rows.
    pixels = geometry.aside / np.array([first.spacing[1], first.spacing[0]])
    pixels[:, np.ptp(pixels, axis=0) < IN_PLACE] = 0
    corner = pixels.min(axis=0)
    shifts = np.round((pixels - corner) / IN_PLACE) * IN_PLACE
    columns, rows = (math.ceil(one) for one in shifts.max(axis=0))
    grid = Grid(
        rows=first.rows + rows,
        columns=first.columns + columns,
        heights=heights,
        corner=corner * np.array([first.spacing[1], first.spacing[0]]),
        shifts=shifts[:, ::-1],
    )
    if grid.rows * grid.columns * len(heights) > MOST_VOXELS:
        raise UnfitError(Reason.TOO_LARGE)
    return grid


_WHY = {Kind.REGULAR: Reason.REGULAR, Kind.MIXED: Reason.MIXED}


def _even_heights(geometry: Geometry, pixel: float) -> Floats:
    """From the first slice to the last in equal steps; as many as there are if they are even."""
    gaps = geometry.gaps
    top = float(gaps.sum())
    mean = top / len(gaps)
    if (np.abs(gaps - mean) < EVEN * mean).all() and geometry.kind is Kind.TILTED:
        return np.linspace(0, top, len(gaps) + 1)
    finest = float(np.quantile(gaps, FINEST))
    step = max(finest, min(pixel, mean), mean / MOST_TIMES)
    if gaps.max() > max(WIDEST_GAP, WIDEST_STEPS * step):
        raise UnfitError(Reason.WIDE_GAP)
    return np.linspace(0, top, max(round(top / step), 1) + 1)


def resample(
    grid: Grid,
    heights: Floats,
    read: Callable[[int], Plane],
    *,
    fill: float,
    padding: float | None = None,
) -> Iterator[Made]:
    """The planes of the grid, from the first on.

    `read(i)` gives the values of the i-th slice along the normal; each is read once, in order.
    `fill` stands where no slice reaches. Pixels of the value `padding` are no measurements:
    they are not mixed with others, the nearer one stands.
    """
    held: dict[int, Plane] = {}
    for height in grid.heights:
        lower, weight = _between(heights, float(height))
        wanted = (lower, lower + 1) if weight else (lower,)
        held = {
            one: held[one]
            if one in held
            else _placed(read(one), grid, grid.shifts[one], fill=fill, padding=padding)
            for one in wanted
        }
        values = held[lower]
        if weight:
            values = _blended(values, held[lower + 1], weight, padding)
        yield Made(values, lower, wanted[-1], weight)


def _between(heights: Floats, height: float) -> tuple[int, float]:
    """The slice below a height, and the share of the one above; none where it is in place."""
    last = len(heights) - 1
    lower = min(int(np.searchsorted(heights, height, side="right")) - 1, last - 1)
    gap = float(heights[lower + 1] - heights[lower])
    weight = (height - float(heights[lower])) / gap
    if weight < IN_PLACE:
        return lower, 0.0
    return (lower + 1, 0.0) if weight > 1 - IN_PLACE else (lower, weight)


def _placed(
    plane: Plane, grid: Grid, shift: Floats, *, fill: float, padding: float | None
) -> Plane:
    """A slice where it lies in the grid's plane; `shift`: pixels down and across."""
    whole = np.floor(shift).astype(int)
    parts = shift - whole
    canvas = np.full((grid.rows, grid.columns), fill, dtype=plane.dtype)
    height, width = plane.shape
    canvas[whole[0] : whole[0] + height, whole[1] : whole[1] + width] = plane
    for axis in (0, 1):
        if parts[axis]:
            canvas = _blended(canvas, np.roll(canvas, 1, axis), float(parts[axis]), padding)
    return canvas


def _blended(one: Plane, other: Plane, weight: float, padding: float | None) -> Plane:
    """The first with so much of the second."""
    made = one + one.dtype.type(weight) * (other - one)
    if padding is not None:
        unmeasured = (one == padding) | (other == padding)
        made[unmeasured] = (other if weight > 0.5 else one)[unmeasured]
    return made
