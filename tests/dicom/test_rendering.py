"""Pixels of every kind to pictures: formulas of the standard, colours, overlays, viewports."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from apps.dicom.encoding import encoded
from apps.dicom.rendering import jobs
from apps.dicom.rendering.options import (
    GIF,
    LINEAR,
    LINEAR_EXACT,
    PATIENT,
    PNG,
    SIGMOID,
    TECHNIQUE,
    RenderingError,
    RenderOptions,
    Viewport,
    Window,
)
from tests.dicom.objects import ct_image

EXPLICIT = "1.2.840.10008.1.2.1"


def shown(image: Dataset, frame: int = 1, **options: Any) -> NDArray[np.uint8]:
    """The picture that a data set becomes, as levels."""
    arguments = {
        "syntax": EXPLICIT,
        "whole": True,
        "frame": frame,
        "options": RenderOptions(**{"media_type": PNG, **options}).words(),
    }
    _, (picture,) = jobs.picture(arguments, [encoded(image, implicit_vr=False)])
    return np.asarray(Image.open(io.BytesIO(picture)))


def ramp(**values: Any) -> Dataset:
    """4096 values, each once."""
    pixels = np.arange(4096, dtype="<u2")
    return ct_image(Rows=64, Columns=64, PixelData=pixels.tobytes(), **values)


def colours(pixels: list[Any], kind: str = "RGB", **values: Any) -> Dataset:
    """Bytes, one row of as many pixels as there are."""
    cells = np.array(pixels, np.uint8)
    count = cells.size // values.get("SamplesPerPixel", 3)
    given = {
        "Rows": 1,
        "Columns": count,
        "SamplesPerPixel": 3,
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PhotometricInterpretation": kind,
        "PixelData": cells.tobytes() + b"\0" * (cells.size % 2),
        **values,
    }
    return ct_image(**given)


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (LINEAR, lambda x, c, w: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255),
        (LINEAR_EXACT, lambda x, c, w: ((x - c) / w + 0.5) * 255),
        (SIGMOID, lambda x, c, w: 255 / (1 + np.exp(-4 * (x - c) / w))),
    ],
)
@pytest.mark.parametrize(("center", "width"), [(1000, 400), (2048, 4096), (3000.5, 1), (100, 7.5)])
def test_windows_are_those_of_the_standard(
    function: str, formula: Any, center: float, width: float
) -> None:
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3"""
    levels = shown(ramp(), window=Window(center, width, function)).ravel()
    stored = np.arange(4096, dtype=np.float64)
    if function == LINEAR and width == 1:
        expected = np.where(stored <= center - 0.5, 0.0, 255.0)
    else:
        with np.errstate(over="ignore"):
            expected = np.clip(formula(stored, center, width), 0, 255)
    assert np.abs(levels - expected).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_window_of_the_header_shows_what_pydicom_makes_of_it(function: str) -> None:
    image = ramp(
        WindowCenter=40,
        WindowWidth=400,
        VOILUTFunction=function,
        RescaleSlope=2,
        RescaleIntercept=-1024,
    )
    values = np.arange(4096) * 2.0 - 1024
    theirs = apply_windowing(values, image)
    lowest, highest = -1024.0, 4095 * 2 - 1024.0
    expected = (theirs - lowest) / (highest - lowest) * 255
    assert np.abs(shown(image).ravel() - expected).max() <= 1


def test_without_a_window_all_values_of_the_image_are_shown_but_padding() -> None:
    pixels = np.array([[100, 200, 300, 4000]], dtype="<u2")
    image = ct_image(Rows=1, Columns=4, PixelData=pixels.tobytes(), PixelPaddingValue=None)
    assert shown(image).tolist() == [[0, 7, 13, 255]]
    image.add_new("PixelPaddingValue", "US", 4000)
    assert shown(image).tolist() == [[0, 128, 255, 255]]


@pytest.mark.parametrize("width", ["0", "-400"])
def test_a_window_that_is_none_is_left_out(width: str) -> None:
    image = ramp(WindowCenter=40, WindowWidth=width)
    assert (shown(image).min(), shown(image).max()) == (0, 255)


def test_signed_values_and_bits_of_others_above_them() -> None:
    """Twelve bits, signed; what lies above was an overlay once (PS3.5 8.1.1)."""
    pixels = np.array([[0xF800, 0x0000, 0xA7FF]], dtype="<u2")
    image = ct_image(Rows=1, Columns=3, PixelRepresentation=1, PixelData=pixels.tobytes())
    assert shown(image).tolist() == [[0, 128, 255]]


def test_monochrome1_and_inverse_shapes_are_white_where_values_are_low() -> None:
    usual = shown(ramp())
    assert np.array_equal(shown(ramp(PhotometricInterpretation="MONOCHROME1")), 255 - usual)
    assert np.array_equal(shown(ramp(PresentationLUTShape="INVERSE")), 255 - usual)


def table(first: int, entries: list[int], bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    return item


def test_tables_take_the_place_of_slope_and_window() -> None:
    pixels = np.array([[0, 1, 2, 9]], dtype="<u2").tobytes()
    image = ct_image(Rows=1, Columns=4, PixelData=pixels)
    image.ModalityLUTSequence = [table(0, [300, 200, 100])]
    assert shown(image).tolist() == [[255, 128, 0, 0]]
    image = ct_image(Rows=1, Columns=4, PixelData=pixels)
    image.VOILUTSequence = [table(1, [0, 32768, 65535])]
    assert shown(image).tolist() == [[0, 0, 128, 255]]


def test_every_frame_has_its_own_slope_and_window() -> None:
    """PS3.3 C.7.6.16.2.9 and .10; as in Orthanc's test of windows of many frames."""
    pixels = np.tile(np.arange(24, dtype="<u2"), 2)
    image = ct_image(NumberOfFrames=2, PixelData=pixels.tobytes())
    groups = []
    for slope, center in ((1, 10), (10, 100)):
        group, rescale, window = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = slope, 5
        window.WindowCenter, window.WindowWidth = center, 10 * slope
        window.VOILUTFunction = "LINEAR_EXACT"
        group.PixelValueTransformationSequence = [rescale]
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    image.PerFrameFunctionalGroupsSequence = groups
    for frame, (slope, center) in enumerate(((1, 10), (10, 100)), start=1):
        values = np.arange(24) * slope + 5
        expected = np.clip((values - center) / (10 * slope) + 0.5, 0, 1) * 255
        assert np.abs(shown(image, frame).ravel() - expected).max() <= 1
        asked = Window(50, 80, LINEAR)
        expected = np.clip(((values - 49.5) / 79 + 0.5) * 255, 0, 255)
        assert np.abs(shown(image, frame, window=asked).ravel() - expected).max() <= 1


def test_planes_of_colours_and_palettes_come_out_as_colours() -> None:
    rgb = shown(colours([255, 0, 0, 0, 255, 0]))
    planes = shown(colours([255, 0, 0, 255, 0, 0], PlanarConfiguration=1))
    assert rgb.tolist() == planes.tolist() == [[[255, 0, 0], [0, 255, 0]]]
    image = colours([1, 0], "PALETTE COLOR", SamplesPerPixel=1, PlanarConfiguration=None)
    for colour, entries in (("Red", [0, 65280]), ("Green", [256, 512]), ("Blue", [0, 0])):
        image.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [2, 0, 16])
        data = np.array(entries, "<u2").tobytes()
        image.add_new(f"{colour}PaletteColorLookupTableData", "OW", data)
    assert shown(image).tolist() == [[[255, 2, 0], [0, 1, 0]]]


@pytest.mark.parametrize(
    ("kind", "pixel", "expected"),
    [
        ("YBR_FULL", [76, 85, 255], [254, 0, 0]),
        ("YBR_PARTIAL_422", [235, 128, 128], [255, 255, 255]),
    ],
)
def test_luminance_and_chrominance_become_colours(
    kind: str, pixel: list[int], expected: list[int]
) -> None:
    (levels,) = shown(colours(pixel, kind))[0].tolist()
    assert np.abs(np.array(levels) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["HSV", "CMYK"])
def test_retired_colours_are_refused_by_name(kind: str) -> None:
    with pytest.raises(RenderingError, match=kind):
        shown(colours([1, 2, 3], kind))


def test_floats_and_single_bits_and_large_numbers_show_their_range() -> None:
    image = ct_image(
        PixelData=None, PixelRepresentation=None, BitsStored=None, HighBit=None, BitsAllocated=32
    )
    image.FloatPixelData = np.linspace(-1, 1, 24, dtype="<f4").tobytes()
    assert (shown(image)[0, 0], shown(image)[-1, -1]) == (0, 255)
    bits = ct_image(BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=b"\x05\x00\x80\x00")
    assert shown(bits)[0].tolist() == [255, 0, 255, 0, 0, 0]
    assert shown(bits)[3, 5] == 255
    large = np.linspace(0, 2**32 - 1, 24).astype("<u4")
    image = ct_image(BitsAllocated=32, BitsStored=32, HighBit=31, PixelData=large.tobytes())
    assert shown(image).ravel()[[0, 12, 23]].tolist() == [0, 133, 255]


def with_overlay(image: Dataset) -> Dataset:
    image.add_new(0x60000010, "US", 2)
    image.add_new(0x60000011, "US", 2)
    image.add_new(0x60000040, "CS", "G")
    image.add_new(0x60000050, "SS", [2, 6])
    image.add_new(0x60000100, "US", 1)
    image.add_new(0x60000102, "US", 0)
    image.add_new(0x60003000, "OW", b"\x0f\x00")
    return image


def test_overlays_are_drawn_when_asked_for_where_they_meet_the_image() -> None:
    image = with_overlay(ct_image(PixelData=bytes(48)))
    assert not shown(image).any()
    drawn = shown(image, overlays=True)
    assert np.argwhere(drawn == 255).tolist() == [[1, 5], [2, 5]]


def test_a_viewport_keeps_the_proportions_of_its_pixels() -> None:
    wide = ramp(PixelSpacing=[2, 1])
    assert shown(wide).shape == (64, 64)
    assert shown(wide, viewport=Viewport(100, 100)).shape == (100, 50)
    assert shown(ramp(), viewport=Viewport(100, 50)).shape == (50, 50)


def test_a_viewport_shows_its_region_and_mirrors_it() -> None:
    usual = shown(ramp())
    region = shown(ramp(), viewport=Viewport(16, 16, 32, 16, 16, 16))
    assert np.array_equal(region, usual[16:32, 32:48])
    mirrored = shown(ramp(), viewport=Viewport(64, 64, 0, 0, -64, -64))
    assert np.array_equal(mirrored, usual[::-1, ::-1])
    with pytest.raises(RenderingError, match="outside"):
        shown(ramp(), viewport=Viewport(16, 16, 64, 0))


def test_words_are_written_on_the_picture_when_asked_for() -> None:
    plain = colours([0] * 256 * 256 * 3, Rows=256, Columns=256)
    patient = shown(plain, annotations=(PATIENT,))
    technique = shown(plain, annotations=(TECHNIQUE,))
    assert patient[:64].max() > 200
    assert patient[128:].max() == 0
    assert technique[200:].max() > 200
    assert technique[:128].max() == 0


def test_quality_and_media_type_are_what_was_asked_for() -> None:
    def made(**options: Any) -> bytes:
        asked = {"syntax": EXPLICIT, "whole": True, "frame": 1}
        words = RenderOptions(**options).words()
        data = encoded(ramp(), implicit_vr=False)
        return jobs.picture({**asked, "options": words}, [data])[1][0]

    assert len(made(quality=95)) > len(made(quality=30))
    assert made().startswith(b"\xff\xd8")
    assert made(media_type=GIF).startswith(b"GIF8")


def test_a_profile_goes_with_the_picture_when_asked_for() -> None:
    asked = {"syntax": EXPLICIT, "whole": True, "frame": 1}
    for icc, expected in (("no", False), ("yes", True), ("srgb", True)):
        words = RenderOptions(PNG, icc=icc).words()
        data = encoded(colours([9, 9, 9, 9, 9, 9]), implicit_vr=False)
        _, (picture,) = jobs.picture({**asked, "options": words}, [data])
        assert ("icc_profile" in Image.open(io.BytesIO(picture)).info) is expected
