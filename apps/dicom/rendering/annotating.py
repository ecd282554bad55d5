"""Words on a picture: whose it is and how it was made (PS3.18 8.3.5.1.1)."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from apps.dicom.rendering.options import PATIENT, TECHNIQUE
from apps.dicom.structured_report import person, readable_date, readable_time

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_FONTS = Path(__file__).resolve().parents[3] / "build" / "fonts"
# The first range that holds any character of a line names its font.
_SCRIPTS = (
    ("\u0590", "\u06ff", "NotoSansArabic_400Regular.ttf"),
    ("\u0e00", "\u0e7f", "NotoSansThai_400Regular.ttf"),
    ("\u1100", "\uffef", "NotoSansJP_400Regular.ttf"),
    ("\0", "\U0010ffff", "NotoSans_400Regular.ttf"),
)
_SMALLEST, _LARGEST, _OF_HEIGHT = 9, 28, 36
_MOST_CHARACTERS = 64
_TECHNIQUE = (
    ("KVP", "{} kV"),
    ("ExposureInuAs", "{} µAs"),
    ("SliceThickness", "{} mm"),
    ("RepetitionTime", "TR {} ms"),
    ("EchoTime", "TE {} ms"),
    ("FlipAngle", "{}°"),
)
_GROUND, _PAPER, _FOLD, _INK = "#1b2430", "#e8edf3", "#b9c4d0", "#1b2430"
_contents: dict[str, bytes] = {}


def read_fonts() -> None:
    """Before files can be opened no more. Without those of the installation Pillow's own serves."""
    for _, _, name in _SCRIPTS:
        path = _FONTS / name
        if path.is_file():
            _contents[name] = path.read_bytes()


def annotated(image: Image.Image, dataset: Dataset, kinds: Sequence[str]) -> Image.Image:
    """The picture with lines for each of PATIENT (above) and TECHNIQUE (below) in `kinds`."""
    size = min(max(image.height // _OF_HEIGHT, _SMALLEST), _LARGEST)
    pen = ImageDraw.Draw(image)
    step = round(size * 1.3)
    if PATIENT in kinds:
        _write(pen, list(_patient(dataset)), 2, size, step)
    if TECHNIQUE in kinds:
        lines = list(_technique(dataset))
        _write(pen, lines, image.height - step * len(lines) - 2, size, step)
    return image


def sign(label: str, width: int, height: int) -> Image.Image:
    """A sheet of paper with a few letters: stands for what cannot be shown small."""
    image = Image.new("RGB", (width, height), _GROUND)
    pen = ImageDraw.Draw(image)
    tall = min(height * 0.7, width * 0.9)
    wide, fold = tall * 0.78, tall * 0.2
    left, top = (width - wide) / 2, (height - tall) / 2
    right, bottom = left + wide, top + tall
    edge = [(left, top), (right - fold, top), (right, top + fold), (right, bottom), (left, bottom)]
    pen.polygon(edge, fill=_PAPER)
    corner = [(right - fold, top), (right - fold, top + fold), (right, top + fold)]
    pen.polygon(corner, fill=_FOLD)
    size = max(min(tall / 4, wide * 1.3 / max(len(label), 1)), 6)
    middle = (width / 2, top + tall * 0.58)
    pen.text(middle, label, fill=_INK, font=font_for(label, round(size)), anchor="mm")
    return image


def _write(pen: ImageDraw.ImageDraw, lines: list[str], top: int, size: int, step: int) -> None:
    for index, line in enumerate(lines):
        at = (3, top + index * step)
        pen.text(
            at, line, fill="white", font=font_for(line, size), stroke_width=1, stroke_fill="black"
        )


def font_for(line: str, size: int) -> Font:
    """The font that has the characters of a line, in pixels."""
    for first, last, name in _SCRIPTS:
        if name in _contents and any(first <= char <= last for char in line):
            return ImageFont.truetype(io.BytesIO(_contents[name]), size)
    return ImageFont.load_default(size)


def _patient(dataset: Dataset) -> Iterator[str]:
    yield from _lines(
        person(dataset.get("PatientName")),
        _words(dataset, "PatientID"),
        " ".join(
            (readable_date(_words(dataset, "PatientBirthDate")), _words(dataset, "PatientSex"))
        ),
    )


def _technique(dataset: Dataset) -> Iterator[str]:
    series, number = _words(dataset, "SeriesNumber"), _words(dataset, "InstanceNumber")
    values = [(_figure(dataset, name), form) for name, form in _TECHNIQUE]
    moment = readable_time(_words(dataset, "AcquisitionTime") or _words(dataset, "StudyTime"))
    yield from _lines(
        " ".join((readable_date(_words(dataset, "StudyDate")), moment)),
        " ".join((_words(dataset, "Modality"), _words(dataset, "SeriesDescription"))),
        f"{series} / {number}" if series or number else "",
        ", ".join(form.format(value) for value, form in values if value),
    )


def _lines(*texts: str) -> Iterator[str]:
    for text in texts:
        printable = "".join(char for char in text if char.isprintable()).strip()
        if printable:
            yield printable[:_MOST_CHARACTERS]


def _figure(dataset: Dataset, name: str) -> str:
    """A number without zeros that say nothing."""
    text = _words(dataset, name)
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _words(dataset: Dataset, name: str) -> str:
    value = dataset.get(name)
    return "" if value is None else str(value).strip()
