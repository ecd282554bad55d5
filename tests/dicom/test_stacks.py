"""What a series is, by the places of its slices."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from apps.dicom.encoding import encoded
from apps.dicom.stacks import Kind, Slice, geometry_of, read_slice
from tests.dicom.objects import ct_image
from tests.dicom.volumes import stack

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def slices(
    positions: Sequence[tuple[float, float, float]],
    orientation: tuple[float, ...] = AXIAL,
    **more: object,
) -> list[Slice]:
    values = {"spacing": (0.5, 0.5), "rows": 512, "columns": 512, **more}
    return [Slice(position=one, orientation=orientation, **values) for one in positions]  # type: ignore[arg-type]


def at(*heights: float) -> list[Slice]:
    return slices([(0.0, 0.0, height) for height in heights])


def test_even_slices_are_regular_in_whatever_order_they_come() -> None:
    found = geometry_of(at(5, 0, 2.5, 7.5))
    assert (found.kind, found.order, found.tilt_degrees) == (Kind.REGULAR, (1, 2, 0, 3), 0)
    assert not found.can_be_made_regular


@pytest.mark.parametrize("angle", [0.5, 15, -22])
def test_a_tilted_gantry_is_found_with_its_angle(angle: float) -> None:
    turn = math.radians(angle)
    direction = (1.0, 0.0, 0.0, 0.0, math.cos(turn), math.sin(turn))
    found = geometry_of(slices([(0, 0, 3.0 * number) for number in range(30)], direction))
    assert found.kind is Kind.TILTED
    assert found.tilt_degrees == pytest.approx(abs(angle))
    assert found.gaps == pytest.approx([3 * math.cos(turn)] * 29)


def test_oblique_slices_behind_one_another_are_not_tilted() -> None:
    direction = (1.0, 0.0, 0.0, 0.0, 0.8, 0.6)
    places = [(0.0, -0.6 * 3 * number, 0.8 * 3 * number) for number in range(20)]
    assert geometry_of(slices(places, direction)).kind is Kind.REGULAR


def test_rounded_direction_cosines_are_no_tilt() -> None:
    direction = (1.0, 0.0, 0.0, 0.0, 0.9999995, 0.001)
    assert geometry_of(slices([(0, 0, 1.0 * n) for n in range(600)], direction)).kind is (
        Kind.REGULAR
    )


def test_missing_slices_are_counted() -> None:
    found = geometry_of(at(0, 2, 4, 6, 12, 14, 16, 20, 22))
    assert (found.kind, found.missing) == (Kind.UNEVEN, 3)


def test_two_thicknesses_in_one_series_are_uneven() -> None:
    assert geometry_of(at(0, 2.5, 5, 7.5, 12.5, 17.5, 22.5)).kind is Kind.UNEVEN


def test_slices_that_creep_away_from_their_places_are_uneven() -> None:
    gaps = [1.15] * 20 + [0.85] * 20  # each within the viewer's tolerance
    assert geometry_of(at(*np.cumsum(gaps))).kind is Kind.UNEVEN


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        ({"orientation": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)}, Kind.MIXED),
        ({"rows": 256}, Kind.MIXED),
        ({"position": (0.0, 0.0, 2.0)}, Kind.MIXED),  # where another one is
        ({"localizer": True}, Kind.NO_VOLUME),
        ({"frames": 12}, Kind.NO_VOLUME),
        ({"position": ()}, Kind.NO_VOLUME),
        ({"orientation": (0.0,) * 6}, Kind.NO_VOLUME),
    ],
)
def test_one_odd_image_makes_no_stack(one: dict[str, object], kind: Kind) -> None:
    usual = {"position": (0.0, 0.0, 3.0), "orientation": AXIAL, "spacing": (0.5, 0.5)}
    odd = Slice(**{**usual, "rows": 512, "columns": 512, **one})  # type: ignore[arg-type]
    found = geometry_of([*at(0, 1, 2), odd])
    assert found.kind is kind
    assert not found.can_be_made_regular


def test_one_image_is_no_volume() -> None:
    assert geometry_of(at(0)).kind is Kind.NO_VOLUME
    assert geometry_of([]).kind is Kind.NO_VOLUME


def test_pictures_side_by_side_are_no_volume() -> None:
    assert geometry_of(slices([(10.0 * n, 0.0, 0.1 * n) for n in range(9)])).kind is Kind.NO_VOLUME


@given(st.lists(st.floats(0.2, 9), min_size=2, max_size=30), st.floats(-30, 30))
def test_what_is_regular_here_is_so_for_the_viewer(gaps: list[float], angle: float) -> None:
    turn = math.radians(angle)
    heights = [0.0, *np.cumsum(gaps).tolist()]
    direction = (1.0, 0.0, 0.0, 0.0, math.cos(turn), math.sin(turn))
    found = geometry_of(slices([(0.0, 0.0, height) for height in heights], direction))
    if found.kind is Kind.REGULAR:
        assert viewer_takes(gaps)


def viewer_takes(distances: Sequence[float]) -> bool:
    """isDisplaySetReconstructable of OHIF 3.13, for slices in order."""
    mean = sum(distances) / len(distances)
    for one in distances:
        if abs(one - mean) < 0.2 * mean:
            continue
        count = round(one / mean)
        if count == 0 or abs(one - count * mean) / count >= 0.2 * mean:
            return False
    return True


def test_the_place_is_read_from_a_header() -> None:
    (image, *_) = stack(tilt=10)
    header = encoded_header(image)
    found = read_slice(header, explicit_vr=True)
    assert found.is_placed
    assert (found.rows, found.columns, found.spacing) == (72, 72, (1.0, 1.0))
    assert found.position == tuple(map(float, image.ImagePositionPatient))


@pytest.mark.parametrize("position", ["1\\2", "a\\b\\c", "1\\2\\nan", "1\\2\\1e999", ""])
def test_a_place_that_is_none_is_told_apart(position: str) -> None:
    image = ct_image(PixelSpacing=[1, 1], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    header = encoded_header(image)
    raw = position.encode() + b" " * (len(position) % 2)
    element = b"\x20\0\x32\0DS" + len(raw).to_bytes(2, "little") + raw
    place = header.index(b"\x20\0\x37\0DS")
    assert not read_slice(header[:place] + element + header[place:], explicit_vr=True).is_placed
    assert not read_slice(header[: place + 9], explicit_vr=True).is_placed


def encoded_header(image: Dataset) -> bytes:
    return encoded(image, implicit_vr=False)
