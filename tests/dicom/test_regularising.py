"""A regular series shows what was scanned: things of known place, size and density."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.dicom.derived_images import Recipe, derivation, image_file, template
from apps.dicom.encoding import encoded
from apps.dicom.grey_values import PT, scale_of, worked_values
from apps.dicom.regularising import Reason, UnfitError, grid_for, resample
from apps.dicom.stacks import Kind, geometry_of, read_slice
from tests.dicom.volumes import CENTRE, INSIDE, OUTSIDE, RADIUS, Array, ball, ramp, stack, voxels

UNEVEN = (*np.arange(-40, -10, 2.5), *np.arange(-10, 41, 4.0))
GAPS = tuple(one for one in np.arange(-40, 41, 2.5) if one not in (-5.0, -2.5, 10.0))


def regular(images: Sequence[Dataset], version: str = "v") -> list[Dataset]:
    """What is made of a series, as the files that would be stored."""
    slices = [read_slice(encoded(one, implicit_vr=False), explicit_vr=True) for one in images]
    geometry = geometry_of(slices)
    grid = grid_for(slices[0], geometry)
    assert geometry.heights is not None
    ordered = [images[one] for one in geometry.order]
    scale = scale_of(ordered)
    common = template(
        ordered,
        version=version,
        made_at=datetime(2026, 5, 17, 12),  # noqa: DTZ001 - the hospital's time
        description=derivation(geometry, grid),
    )
    recipe = Recipe(ordered, slices[geometry.order[0]], grid, scale, common, version)
    planes = resample(
        grid,
        geometry.heights,
        lambda one: worked_values(ordered[one], scale),
        fill=scale.fill,
        padding=scale.padding,
    )
    files = [image_file(recipe, made, number) for number, made in enumerate(planes, start=1)]
    return [dcmread(io.BytesIO(one)) for one in files]


def geometry(images: Sequence[Dataset]) -> Kind:
    slices = [read_slice(encoded(one, implicit_vr=False), explicit_vr=True) for one in images]
    return geometry_of(slices).kind


@pytest.mark.parametrize(
    "how",
    [
        {"tilt": 15.0},
        {"tilt": -24.0},
        {"heights": GAPS},
        {"heights": UNEVEN},
        {"tilt": 12.0, "heights": GAPS},
    ],
)
def test_a_ball_stays_where_and_what_it_is(how: dict[str, Any]) -> None:
    made = regular(stack(**how))
    assert geometry(made) is Kind.REGULAR
    places, values = voxels(made)
    share = np.clip((values - OUTSIDE) / (INSIDE - OUTSIDE), 0, 1)
    weights = share / share.sum()
    centroid = np.einsum("nrc,nrcx->x", weights, places)
    assert centroid == pytest.approx(CENTRE, abs=0.5)
    spread = np.einsum("nrc,nrcx->x", weights, (places - centroid) ** 2)
    # A ball spreads by its radius over the root of five, along every axis.
    assert np.sqrt(5 * spread) == pytest.approx([RADIUS] * 3, abs=0.5)
    deep = np.linalg.norm(places - CENTRE, axis=-1) < RADIUS - 6
    assert values[deep] == pytest.approx(INSIDE, abs=1)


def test_without_correction_the_ball_would_be_elsewhere() -> None:
    tilted = stack(tilt=15.0)
    places, values = voxels(tilted)
    first = places[0, 0, 0]
    down, across = np.array([0, 1.0, 0]), np.array([1.0, 0, 0])
    shape = values.shape
    askew = (
        first
        + np.arange(shape[0])[:, None, None, None] * 2.5 * np.array([0, 0, 1.0])
        + np.arange(shape[1])[None, :, None, None] * down
        + np.arange(shape[2])[None, None, :, None] * across
    )
    weights = (values - OUTSIDE) / (values - OUTSIDE).sum()
    centroid = np.einsum("nrc,nrcx->x", weights, askew)
    assert np.linalg.norm(centroid - CENTRE) > 5


@pytest.mark.parametrize("how", [{"tilt": 17.0}, {"heights": UNEVEN}, {"heights": GAPS}])
def test_values_are_kept_within_the_error_of_interpolation(how: dict[str, Any]) -> None:
    made = regular(stack(shade=ramp, **how))
    places, values = voxels(made)
    measured = values > -1000  # where a slice reached
    measured[:, [0, -1], :] = measured[:, :, [0, -1]] = False
    expected: Array = ramp(places)
    inside = measured & (np.abs(expected) < 900)
    rows = np.abs(places[..., 1]) < 25
    assert inside.sum() > 50_000
    assert np.abs(values - expected)[inside & rows].max() <= 1.01  # rounded twice


def test_slices_in_their_places_are_kept_as_they_were() -> None:
    images = stack(heights=GAPS)
    made = regular(images)
    assert len(made) == len(GAPS) + 3
    whole = {float(one.ImagePositionPatient[2]): one.PixelData for one in made}
    for one in images:
        assert whole[float(one.ImagePositionPatient[2])] == one.PixelData


def test_where_no_slice_reaches_there_is_air_or_padding() -> None:
    made = regular(stack(tilt=20.0, shade=lambda points: np.full(points.shape[:-1], 100.0)))
    _places, values = voxels(made)
    assert values.min() == -1000
    padded = regular(
        stack(
            tilt=20.0,
            shade=lambda points: np.full(points.shape[:-1], 100.0),
            PixelPaddingValue=0,
        )
    )
    _places, values = voxels(padded)
    assert set(np.unique(values)) == {-1024.0, 100.0}  # not mixed with what was measured


def test_the_objects_say_what_they_are_and_nothing_stale() -> None:
    images = stack(tilt=15.0, GantryDetectorTilt="15", ReconstructionDiameter="96")
    for number, image in enumerate(images):
        image.XRayTubeCurrent = 100 + number
        image.add_new(0x00091010, "LO", "private")
    made = regular(images)
    one = made[4]
    assert list(one.ImageType) == ["DERIVED", "SECONDARY", "REFORMATTED"]
    assert one.SOPClassUID == images[0].SOPClassUID
    assert one.SeriesInstanceUID != images[0].SeriesInstanceUID
    assert (one.SeriesDescription, one.SeriesNumber) == ("Axial regular", 1002)
    assert one.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    assert one.DerivationCodeSequence[0].CodeValue == "113072"
    assert "15.0 degrees" in one.DerivationDescription
    sources = {item.ReferencedSOPInstanceUID for item in one.SourceImageSequence}
    assert sources <= {image.SOPInstanceUID for image in images}
    same = ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", "StudyDate", "KVP")
    assert [one[name].value for name in same] == [images[0][name].value for name in same]
    stale = ("GantryDetectorTilt", "ReconstructionDiameter", "XRayTubeCurrent")
    assert [name for name in stale if name in one] == []
    assert not any(element.tag.is_private for element in one)
    assert images[0].ImageType[0] == "ORIGINAL"  # the sources are left alone


def test_made_again_they_are_the_same_objects() -> None:
    images = stack(heights=GAPS)
    once, again = ([dict(one) for one in regular(images)] for _ in range(2))
    assert once == again
    assert {one.SOPInstanceUID for one in regular(images, "other")}.isdisjoint(
        {one.SOPInstanceUID for one in regular(images)}
    )


def test_slices_of_different_scales_are_brought_to_one() -> None:
    """As PET has them: a rescale slope for each slice."""
    images = stack(heights=GAPS, SOPClassUID=PT, Modality="PT", BitsStored=16, HighBit=15)
    for number, image in enumerate(images):
        slope = 0.5 + number / 10
        place = voxels([image])[0][0]
        real = ball(place) + 1000  # activity has no negative values
        image.RescaleSlope, image.RescaleIntercept = f"{slope:.6g}", 0
        image.PixelData = np.rint(real / slope).astype("<u2").tobytes()
    made = regular(images)
    assert {one.RescaleSlope for one in made} == {made[0].RescaleSlope}
    assert {one.RescaleIntercept for one in made} == {0}
    assert [one.ImageIndex for one in made] == list(range(1, len(made) + 1))
    places, values = voxels(made)
    deep = np.linalg.norm(places - CENTRE, axis=-1) < RADIUS - 6
    assert values[deep] == pytest.approx(INSIDE + 1000, abs=4)


def test_signed_values_stay_signed() -> None:
    images = stack(tilt=15.0, PixelRepresentation=1, RescaleIntercept=0, BitsStored=16, HighBit=15)
    for image in images:
        stored = np.frombuffer(image.PixelData, "<u2").astype(int) - 1024
        image.PixelData = stored.astype("<i2").tobytes()
    _places, values = voxels(regular(images))
    assert (values.min(), values.max()) == (-1000, 300)


def refusal(images: Sequence[Dataset]) -> Reason:
    with pytest.raises(UnfitError) as refused:
        regular(images)
    return refused.value.reason


def test_what_cannot_be_made_regular_is_refused_with_the_reason() -> None:
    assert refusal(stack()) is Reason.REGULAR
    assert refusal(stack(heights=(0, 1, 2, 3, 40, 41, 42))) is Reason.WIDE_GAP
    assert refusal(stack(tilt=15, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")) is Reason.SOP_CLASS
    assert refusal(stack(tilt=15, PhotometricInterpretation="PALETTE COLOR")) is Reason.PIXELS
    assert refusal(stack(tilt=15, RescaleSlope=0)) is Reason.PIXELS
    assert refusal(stack(heights=(0, 0, 1, 2))) is Reason.MIXED


def test_what_would_become_too_large_is_refused_before_it_is_begun() -> None:
    slices = [
        read_slice(encoded(one, implicit_vr=False), explicit_vr=True) for one in stack(tilt=15)
    ]
    huge = [type(one)(**{**vars(one), "rows": 30000, "columns": 30000}) for one in slices]
    with pytest.raises(UnfitError, match="too-large"):
        grid_for(huge[0], geometry_of(huge))
