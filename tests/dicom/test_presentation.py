"""Presentation states: values, shutters, place on the picture, graphics, and what is no state."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from apps.dicom.rendering.graphics import curve_of
from apps.dicom.rendering.options import RenderingError, Viewport
from apps.dicom.rendering.states import from_cielab
from tests.dicom.objects import ct_image, part10
from tests.dicom.states import graphic, item, presented, state_of

WHITE, BLACK = 255, 0
PAIRS = (("prLUTs.dcm", "imageForPrLUTs.dcm"), ("prOverlay.dcm", "overlay.dcm"))


def ramp(**values: Any) -> Dataset:
    """64 x 64, each of 4096 values once."""
    cells = np.arange(4096, dtype="<u2")
    return ct_image(Rows=64, Columns=64, PixelData=cells.tobytes(), **values)


def black(side: int = 64, **values: Any) -> Dataset:
    pixels = np.zeros((side, side), "<u2")
    return ct_image(Rows=side, Columns=side, PixelData=pixels.tobytes(), **values)


def marked(**values: Any) -> Dataset:
    """4 rows, 6 columns, all black but the pixel in row 0, column 1."""
    cells = np.zeros((4, 6), "<u2")
    cells[0, 1] = 4095
    return ct_image(PixelData=cells.tobytes(), **values)


def where(picture: Any) -> tuple[int, int]:
    """Row and column of the one bright pixel."""
    ((row, column),) = np.argwhere(picture[:, :, 0] > 128)
    return int(row), int(column)


def area(left: int, top: int, right: int, bottom: int, **values: Any) -> Dataset:
    return item(
        DisplayedAreaTopLeftHandCorner=[left, top],
        DisplayedAreaBottomRightHandCorner=[right, bottom],
        PresentationSizeMode="SCALE TO FIT",
        **values,
    )


def lut(*entries: int, first: int = 0, bits: int = 8) -> list[Dataset]:
    return [
        item(LUTDescriptor=[len(entries), first, bits], LUTData=np.array(entries, "<u2").tobytes())
    ]


def test_the_state_counts_instead_of_the_image_even_where_it_says_nothing() -> None:
    image = ramp(
        WindowCenter="10", WindowWidth="2", RescaleSlope="-1", RescaleIntercept="5",
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    found = presented(image, state_of(image))[:, :, 0].ravel()
    expected = np.arange(4096) / 4095 * 255
    assert np.abs(found - expected).max() <= 0.51


def test_window_rescale_and_inversion_of_the_state() -> None:
    image = ramp()
    voi = item(WindowCenter="0", WindowWidth="2000")
    state = state_of(
        image,
        RescaleSlope="2",
        RescaleIntercept="-1024",
        SoftcopyVOILUTSequence=[voi],
        PresentationLUTShape="INVERSE",
    )
    values = np.arange(4096) * 2 - 1024
    expected = 255 - np.clip((values + 0.5) / 1999 + 0.5, 0, 1) * 255
    found = presented(image, state)[:, :, 0].ravel()
    assert np.abs(found - expected).max() <= 0.51


def test_a_window_for_another_image_is_not_this_ones() -> None:
    image, other = ramp(), ramp()
    named = item(
        ReferencedSOPClassUID=other.SOPClassUID, ReferencedSOPInstanceUID=other.SOPInstanceUID
    )
    voi = item(WindowCenter="0", WindowWidth="1", ReferencedImageSequence=[named])
    state = state_of(image, other, SoftcopyVOILUTSequence=[voi])
    assert presented(image, state)[0, 5, 0] < 2
    assert presented(other, state)[0, 5, 0] == WHITE


def test_presentation_luts_and_palettes_come_last() -> None:
    image = ramp()
    state = state_of(image, PresentationLUTSequence=lut(0, 255, 0))
    del state.PresentationLUTShape
    found = presented(image, state)[:, :, 0].ravel()
    assert [found[0], found[2048], found[4095]] == [BLACK, WHITE, BLACK]
    colours = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, data in (("Red", [0, 65535]), ("Green", [0, 0]), ("Blue", [65535, 0]))
        for part, value in (
            ("Descriptor", [2, 0, 16]),
            ("Data", np.array(data, "<u2").tobytes()),
        )
    }
    pseudo = state_of(image, **colours, SOPClassUID=UID("1.2.840.10008.5.1.4.1.1.11.3"))
    picture = presented(image, pseudo).reshape(-1, 3)
    assert picture[0].tolist() == [0, 0, 255]
    assert picture[4095].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("rotation", "flip", "expected"),
    [
        (0, "N", (0, 1)), (90, "N", (1, 3)), (180, "N", (3, 4)), (270, "N", (4, 0)),
        (0, "Y", (0, 4)), (90, "Y", (1, 0)),
    ],
)  # fmt: skip
def test_images_are_turned_clockwise_then_mirrored(
    rotation: int, flip: str, expected: tuple[int, int]
) -> None:
    image = marked()
    state = state_of(image, ImageRotation=rotation, ImageHorizontalFlip=flip)
    assert where(presented(image, state)) == expected


def test_the_displayed_area_is_cut_out_and_filled_up() -> None:
    image = marked()
    cut = state_of(image, DisplayedAreaSelectionSequence=[area(2, 1, 4, 3)])
    assert presented(image, cut).shape == (3, 3, 3)
    assert where(presented(image, cut)) == (0, 0)
    beyond = state_of(image, DisplayedAreaSelectionSequence=[area(-1, 0, 6, 4)])
    assert where(presented(image, beyond)) == (1, 3)
    high = area(1, 1, 6, 4, PresentationPixelAspectRatio=["2", "1"])
    tall = state_of(image, DisplayedAreaSelectionSequence=[high])
    assert presented(image, tall).shape == (8, 6, 3)
    assert presented(image, tall, viewport=Viewport(60, 400)).shape == (80, 60, 3)


def test_shutters_close_what_is_around_them() -> None:
    image = ramp()
    shades = {"SoftcopyVOILUTSequence": [item(WindowCenter="-100", WindowWidth="2")]}
    edges = {
        "ShutterLeftVerticalEdge": 11, "ShutterRightVerticalEdge": 50,
        "ShutterUpperHorizontalEdge": 21, "ShutterLowerHorizontalEdge": 60,
    }  # fmt: skip
    box = state_of(image, ShutterShape="RECTANGULAR", ShutterPresentationValue=0, **edges, **shades)
    picture = presented(image, box)[:, :, 0]
    assert (picture[20:60, 10:50] == WHITE).all()
    assert (picture == WHITE).sum() == 1600
    both = state_of(
        image, ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"],
        CenterOfCircularShutter=[40, 30], RadiusOfCircularShutter=10,
        VerticesOfThePolygonalShutter=[1, 1, 1, 64, 40, 64, 40, 1],
        ShutterPresentationValue=32768, **edges, **shades,
    )  # fmt: skip
    picture = presented(image, both)[:, :, 0]
    assert picture[39, 29] == WHITE
    assert picture[45, 29] == 128  # below the polygon
    assert picture[25, 29] == 128  # outside the circle


def test_graphics_lie_where_the_image_puts_them_in_the_colour_of_their_layer() -> None:
    image = black()
    layers = [
        item(
            GraphicLayer="MARKS",
            GraphicLayerOrder=1,
            GraphicLayerRecommendedDisplayGrayscaleValue=65535,
        )
    ]
    figures = [
        graphic("POLYLINE", 10, 10.5, 20, 10.5),
        graphic("CIRCLE", 40, 40, 50, 40),
        graphic("ELLIPSE", 10, 40, 30, 40, 20, 35, 20, 45, GraphicFilled="Y"),
        graphic("POINT", 55.5, 5.5),
    ]
    drawn = item(GraphicLayer="MARKS", GraphicObjectSequence=figures)
    state = state_of(image, GraphicAnnotationSequence=[drawn], GraphicLayerSequence=layers)
    picture = presented(image, state)[:, :, 0]
    assert (picture[10, 10:20] == WHITE).all()
    assert picture[40, 50] == WHITE  # on the circle
    assert picture[40, 40] == BLACK  # in its middle
    assert picture[40, 20] == WHITE  # the ellipse is filled
    assert picture[5, 55] == WHITE
    turned = state_of(
        image, ImageRotation=180, GraphicAnnotationSequence=[drawn], GraphicLayerSequence=layers
    )
    assert presented(image, turned)[53, 44:54, 0].min() == WHITE


def test_text_stands_in_its_box_or_at_its_anchor_and_is_not_turned() -> None:
    image = black(200)
    boxed = item(
        UnformattedTextValue="WORD",
        BoundingBoxAnnotationUnits="DISPLAY",
        BoundingBoxTopLeftHandCorner=[0.5, 0.5],
        BoundingBoxBottomRightHandCorner=[1, 0.7],
    )
    anchored = item(
        UnformattedTextValue="WORD",
        AnchorPointAnnotationUnits="PIXEL",
        AnchorPoint=[20, 20],
        AnchorPointVisibility="N",
    )
    for text, there in ((boxed, np.s_[100:140, 100:]), (anchored, np.s_[20:40, 20:80])):
        drawn = item(GraphicLayer="L", TextObjectSequence=[text])
        state = state_of(image, GraphicAnnotationSequence=[drawn])
        picture = presented(image, state)[:, :, 0].copy()
        assert picture[there].max() > 200
        picture[there] = BLACK
        assert picture.max() == BLACK


def test_a_curve_goes_through_its_points_and_closes() -> None:
    points = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 0.0)]
    found = curve_of(points)
    assert all(point in found for point in points)
    assert found[0] == found[-1]


def test_cielab_is_turned_into_the_colours_of_screens() -> None:
    assert from_cielab([65535, 32896, 32896]) == (255, 255, 255)
    red, green, blue = from_cielab([34900, 53500, 50000])  # L 53, a 80, b 67
    assert red > 240
    assert green < 20
    assert blue < 30


@pytest.mark.parametrize(
    "values",
    [
        {"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.11.4")},
        {"DisplayedAreaSelectionSequence": [area(1, 1, 2**30, 2**30)]},
        {
            "GraphicAnnotationSequence": [
                item(GraphicObjectSequence=[graphic("POLYLINE", float("nan"), 1.0)])
            ]
        },
        {"GraphicAnnotationSequence": [item(GraphicObjectSequence=[Dataset()] * 5001)]},
        {"ShutterShape": "CIRCULAR"},
    ],
)
def test_what_makes_no_sense_is_an_error_not_a_picture(values: dict[str, Any]) -> None:
    image = marked()
    with pytest.raises((RenderingError, ValueError)):
        presented(image, state_of(image, **values))


def rendered_by_dcmtk(image: Path, state: Path, folder: Path) -> Any:
    made = folder / "picture.pgm"
    asked = ["dcmp2pgm", "--pgm", "-p", str(state), str(image), str(made)]
    subprocess.run(asked, check=True, capture_output=True)
    return np.asarray(Image.open(made), int)


@pytest.mark.peer("dcmp2pgm")
@pytest.mark.samples
def test_sample_states_look_as_another_program_has_them(samples: Path, tmp_path: Path) -> None:
    """That program draws no overlays: those pixels are left out where we draw white."""
    for state_name, image_name in PAIRS:
        state, image = (samples / "dicom/weasis" / name for name in (state_name, image_name))
        ours = presented(dcmread(image), dcmread(state))[:, :, 0].astype(int)
        theirs = rendered_by_dcmtk(image, state, tmp_path)
        differing = (np.abs(ours - theirs) > 2) & (ours != WHITE)
        assert not differing.any()
        assert (np.abs(ours - theirs) > 2).mean() < 0.02


@pytest.mark.peer("dcmp2pgm")
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE"])
def test_windows_and_inversion_are_as_another_program_has_them(shape: str, tmp_path: Path) -> None:
    image = ramp(ReferringPhysicianName="", PatientName="A")
    state = state_of(
        image,
        SoftcopyVOILUTSequence=[item(WindowCenter="1200", WindowWidth="1500")],
        RescaleSlope="1", RescaleIntercept="-100", RescaleType="HU",
        PresentationLUTShape=shape, ContentLabel="W", ContentDescription="",
        PresentationCreationDate="20260101", PresentationCreationTime="120000",
        ContentCreatorName="", InstanceNumber=1, SeriesNumber=1, Manufacturer="",
        StudyDate="", StudyTime="", AccessionNumber="", ReferringPhysicianName="", StudyID="",
        PatientBirthDate="", PatientSex="",
        DisplayedAreaSelectionSequence=[
            area(1, 1, 64, 64, PresentationPixelAspectRatio=["1", "1"])
        ],
    )  # fmt: skip
    ours = presented(image, state)[:, :, 0].astype(int)
    paths = tmp_path / "image.dcm", tmp_path / "state.dcm"
    for path, dataset in zip(paths, (image, state), strict=True):
        path.write_bytes(part10(dataset))
    assert np.abs(ours - rendered_by_dcmtk(*paths, tmp_path)).max() <= 2
