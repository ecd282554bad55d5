"""Compressed images hold what the plain ones held, as decoders of others read them."""

import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from openjpeg.utils import decode, get_parameters
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from apps.dicom.compressing import COMPRESSED
from apps.dicom.transcoding import TranscodingError, transcode
from apps.dicom.workshop import Workshop
from tests.dicom.objects import ct_image
from tests.dicom.test_transcoding import EXPLICIT, encoded, read, stored_in

HIGH_THROUGHPUT = [str(HTJ2KLossless), str(HTJ2KLosslessRPCL)]
DCMTK = {
    str(RLELossless): ["/usr/bin/dcmdrle"],
    str(JPEGLosslessSV1): ["/usr/bin/dcmdjpeg", "+cn"],
    str(JPEGLSLossless): ["/usr/bin/dcmdjpls"],
}
COD, TLM, SOT = 0xFF52, 0xFF55, 0xFF90
BYTES = {"BitsAllocated": 8, "BitsStored": 8}
COLOURS = {**BYTES, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
IMAGES: dict[str, dict[str, Any]] = {
    "16 bits": {},
    "12 of 16 bits": {"BitsStored": 12},
    "10 bits, inverted": {"BitsStored": 10, "PhotometricInterpretation": "MONOCHROME1"},
    "signed, 16 bits": {"PixelRepresentation": 1},
    "signed, 12 of 16 bits": {"PixelRepresentation": 1, "BitsStored": 12},
    "7 of 16 bits": {"BitsStored": 7},
    "8 bits": BYTES,
    "signed, 8 bits": {**BYTES, "PixelRepresentation": 1},
    "palette": {**BYTES, "PhotometricInterpretation": "PALETTE COLOR"},
    "frames": {"NumberOfFrames": 3, "BitsStored": 12},
    "colours": COLOURS,
    "colours in planes": {**COLOURS, "PlanarConfiguration": 1},
    "colours in planes, frames": {**COLOURS, "PlanarConfiguration": 1, "NumberOfFrames": 2},
    "brightness and colour": {**COLOURS, "PhotometricInterpretation": "YBR_FULL"},
    "a row": {"Rows": 1, "Columns": 77},
    "a column": {"Rows": 77, "Columns": 1},
    "a pixel": {"Rows": 1, "Columns": 1},
    "long": {"Rows": 4100, "Columns": 9},
}


def image(**values: Any) -> tuple[Dataset, NDArray[np.int64]]:
    """A plain image of noise, and its values: frames x rows x columns x samples."""
    said = {"Rows": 40, "Columns": 51, "BitsAllocated": 16, "BitsStored": 16, **values}
    made = ct_image(**said, PixelData=None)
    made.HighBit = made.BitsStored - 1
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = values.get("PlanarConfiguration", 0)
    lowest = -(1 << made.BitsStored - 1) if made.PixelRepresentation else 0
    shape = made.get("NumberOfFrames", 1), made.Rows, made.Columns, made.SamplesPerPixel
    noise = np.random.default_rng(7).integers(lowest, lowest + (1 << made.BitsStored), shape)
    cells = noise.transpose(0, 3, 1, 2) if made.get("PlanarConfiguration") else noise
    kind = f"<{'i' if made.PixelRepresentation else 'u'}{made.BitsAllocated // 8}"
    pixels = cells.astype(kind).tobytes()
    made.PixelData = pixels + b"\0" * (len(pixels) % 2)
    made["PixelData"].VR = "OW"
    return made, noise


def compressed(original: Dataset, syntax: str) -> Dataset:
    return read(transcode(encoded(original), EXPLICIT, syntax), syntax)


def by_openjpeg(found: Dataset) -> NDArray[Any]:
    """Values of all frames, with nothing done to them that the code streams do not say."""
    frames = generate_frames(found.PixelData, number_of_frames=int(found.get("NumberOfFrames", 1)))
    return np.stack([decode(one) for one in frames])


def by_dcmtk(found: Dataset, folder: Path) -> NDArray[Any]:
    """Cells of all frames as DCMTK decodes them, colours pixel by pixel as they are."""
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    found.save_as(folder / "there.dcm", enforce_file_format=True)
    tool = DCMTK[str(found.file_meta.TransferSyntaxUID)]
    command = [*tool, str(folder / "there.dcm"), str(folder / "back.dcm")]
    subprocess.run(command, check=True, capture_output=True)
    back = dcmread(folder / "back.dcm")
    assert back.BitsAllocated == found.BitsAllocated
    count = int(back.get("NumberOfFrames", 1)) * back.Rows * back.Columns * back.SamplesPerPixel
    cells = np.frombuffer(back.PixelData, f"<u{back.BitsAllocated // 8}", count)
    if back.get("PlanarConfiguration") == 1:
        return cells.reshape(-1, 3, back.Rows, back.Columns).transpose(0, 2, 3, 1)
    return cells


def segment(stream: bytes, wanted: int) -> bytes | None:
    """What a marker segment of the main header holds (ISO 15444-1 A.1.3)."""
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", stream, position)
        if marker == wanted:
            return stream[position + 4 : position + 2 + length]
        if marker == SOT:
            return None
        position += 2 + length


@pytest.mark.parametrize("syntax", [*HIGH_THROUGHPUT, str(JPEG2000Lossless)])
@pytest.mark.parametrize("name", IMAGES)
def test_openjpeg_reads_every_pixel(name: str, syntax: str) -> None:
    original, values = image(**IMAGES[name])
    if syntax == JPEG2000Lossless and min(values.shape[1:3]) < 32:
        pytest.skip("its encoder takes none so short")
    found = compressed(original, syntax)
    assert (by_openjpeg(found).reshape(values.shape) == values).all()
    assert "LossyImageCompression" not in found
    assert found.get("PlanarConfiguration", 0) == 0


@pytest.mark.peer
@pytest.mark.parametrize("syntax", DCMTK)
@pytest.mark.parametrize("name", IMAGES)
def test_dcmtk_reads_every_pixel(tmp_path: Path, name: str, syntax: str) -> None:
    original, values = image(**IMAGES[name])
    if syntax == JPEGLSLossless and values[0].size == 1:
        pytest.skip("its encoder takes none so small")
    found = compressed(original, syntax)
    cells = by_dcmtk(found, tmp_path).reshape(values.shape)
    mask = (1 << original.BitsStored) - 1
    assert (cells & mask == values & mask).all()


@pytest.mark.parametrize("syntax", HIGH_THROUGHPUT)
@pytest.mark.parametrize("name", IMAGES)
def test_the_header_says_what_the_code_stream_says(name: str, syntax: str) -> None:
    original, _ = image(**IMAGES[name])
    found = compressed(original, syntax)
    stream = next(generate_frames(found.PixelData, number_of_frames=1))
    told = get_parameters(stream)
    assert (told["rows"], told["columns"]) == (found.Rows, found.Columns)
    assert told["samples_per_pixel"] == found.SamplesPerPixel
    assert told["is_signed"] == bool(found.PixelRepresentation)
    # Seven bits in cells of sixteen go as sixteen: a decoder would make bytes of seven.
    assert told["precision"] == (16 if name == "7 of 16 bits" else found.BitsStored)
    assert found.BitsStored == original.BitsStored
    mixed = (segment(stream, COD) or b"")[4] == 1
    colours = str(original.PhotometricInterpretation)
    assert mixed == (colours == "RGB")
    assert found.PhotometricInterpretation == ("YBR_RCT" if mixed else colours)


@pytest.mark.parametrize("shape", [(40, 51), (1, 300), (2049, 70), (70, 4100)])
def test_resolutions_come_one_after_the_other_and_their_places_are_told(
    shape: tuple[int, int],
) -> None:
    """PS3.5 10.18: RPCL, a base of 64 pixels at most, TLM."""
    original, _ = image(Rows=shape[0], Columns=shape[1])
    found = compressed(original, str(HTJ2KLosslessRPCL))
    stream = next(generate_frames(found.PixelData, number_of_frames=1))
    style = segment(stream, COD)
    assert style is not None
    order, levels, wavelet = style[1], style[5], style[9]
    assert (order, wavelet) == (2, 1)
    assert max(shape) / 2**levels <= 64
    lengths = segment(stream, TLM)
    assert lengths is not None
    assert len(lengths) == 2 + 6 * (levels + 1)  # PS3.5 asks for no more than that it is there


def test_all_is_encoded_behind_the_confinement() -> None:
    original, _ = image(**IMAGES["colours in planes"])
    workshop = Workshop(processes=1)
    made = {one: workshop.transcode(encoded(original), EXPLICIT, one) for one in COMPRESSED}
    workshop.close()
    assert made == {one: transcode(encoded(original), EXPLICIT, one) for one in COMPRESSED}


@pytest.mark.parametrize("syntax", [*HIGH_THROUGHPUT, str(JPEG2000Lossless)])
def test_what_stands_in_the_bits_above_the_pixel_survives(syntax: str) -> None:
    """Overlays of old scanners (PS3.5 8.1.1)."""
    original, _ = image(BitsStored=12)
    cells = np.frombuffer(original.PixelData, "<u2") | 0x1000
    original.PixelData = cells.tobytes()
    assert (by_openjpeg(compressed(original, syntax)).ravel() == cells).all()


@pytest.mark.parametrize("syntax", HIGH_THROUGHPUT)
def test_signs_that_are_not_extended_are_signs_still(syntax: str) -> None:
    original, values = image(BitsStored=12, PixelRepresentation=1)
    cells = np.frombuffer(original.PixelData, "<u2") & 0x0FFF
    original.PixelData = cells.tobytes()
    assert (by_openjpeg(compressed(original, syntax)).ravel() == values.ravel()).all()


@pytest.mark.parametrize("syntax", [*HIGH_THROUGHPUT, str(JPEGLosslessSV1)])
@pytest.mark.parametrize(
    "values",
    [
        {"BitsAllocated": 32, "BitsStored": 32},
        {**COLOURS, "PhotometricInterpretation": "YBR_FULL_422"},
        {**COLOURS, "PhotometricInterpretation": "MONOCHROME2"},
    ],
)
def test_what_no_encoder_takes_is_refused(syntax: str, values: dict[str, Any]) -> None:
    original, _ = image(**values)
    with pytest.raises(TranscodingError):
        compressed(original, syntax)


@pytest.mark.parametrize("syntax", [*HIGH_THROUGHPUT, str(JPEGLosslessSV1)])
def test_fewer_pixels_than_the_header_says_are_refused(syntax: str) -> None:
    original, _ = image()
    original.PixelData = original.PixelData[:-2]
    with pytest.raises(TranscodingError):
        compressed(original, syntax)


SAMPLES = [
    "cornerstone/CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm",
    "cornerstone/TestPattern_Palette.dcm",
    "cornerstone/TestPattern_RGB.dcm",
    "cornerstone/CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm",
]


@pytest.mark.samples
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_become_high_throughput(samples: Path, name: str) -> None:
    raw, syntax, _ = stored_in(samples / "dicom" / name)
    plain = read(transcode(raw, syntax, EXPLICIT), EXPLICIT)
    target = str(HTJ2KLossless)
    found = read(transcode(raw, syntax, target), target)
    kind = f"<{'i' if plain.PixelRepresentation else 'u'}{plain.BitsAllocated // 8}"
    decoded = by_openjpeg(found).ravel()
    assert (decoded == np.frombuffer(plain.PixelData, kind, decoded.size)).all()
    assert found.file_meta.TransferSyntaxUID == UID(target)
