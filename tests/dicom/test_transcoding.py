"""Transcoding: the same image in another transfer syntax, or a reason why not."""

import struct
import subprocess
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from apps.dicom import transcoding
from apps.dicom.compressing import COMPRESSED
from apps.dicom.transcoding import TranscodingError, transcode
from apps.dicom.workshop import Workshop
from tests.dimse.conftest import ct_image

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
LOSSLESS = sorted(COMPRESSED)


def encoded(dataset: Dataset, *, implicit: bool = False, little: bool = True) -> bytes:
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = implicit, little
    write_dataset(target, dataset)
    return target.getvalue()


def read(data_set: bytes, syntax: str) -> Dataset:
    raw = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(raw)) + raw
    return dcmread(BytesIO(b"\0" * 128 + b"DICM" + meta + data_set))


def image(cells: NDArray[np.uint16]) -> Dataset:
    made = ct_image("2.25.100")
    made.Rows, made.Columns = cells.shape
    made.PixelData = cells.tobytes()
    return made


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    made = Workshop(processes=1)
    yield made
    made.close()


def ramp() -> NDArray[np.uint16]:
    return np.arange(64 * 48, dtype="<u2").reshape(64, 48) * 13


def test_explicit_becomes_implicit_and_back() -> None:
    original = image(ramp())
    original.add_new(0x00090010, "LO", "A MAKER")
    original.add_new(0x00091001, "DS", "1.5")
    implicit = transcode(encoded(original), EXPLICIT, IMPLICIT)
    assert implicit == encoded(original, implicit=True)
    back = read(transcode(implicit, IMPLICIT, EXPLICIT), EXPLICIT)
    assert back.PixelData == original.PixelData
    assert back.PatientName == original.PatientName


def test_texts_stay_the_bytes_they_are() -> None:
    original = image(ramp())
    original.SpecificCharacterSet = "ISO_IR 192"
    raw = encoded(original).replace(b"Phantom^Test", b"Ph\xff\xfetom^Test")
    assert b"Ph\xff\xfetom^Test" in transcode(raw, EXPLICIT, IMPLICIT)


def test_big_endian_words_are_turned_round() -> None:
    original = image(ramp())
    item = Dataset()
    item.LUTDescriptor, item.LUTExplanation = [4, 0, 16], "four"
    item.add_new(0x00283006, "OW", np.array([1, 2, 3, 4], ">u2").tobytes())
    original.ModalityLUTSequence = [item]
    big = image(ramp().astype(">u2"))
    big.ModalityLUTSequence = [item]
    little = read(
        transcode(encoded(big, little=False), str(ExplicitVRBigEndian), EXPLICIT), EXPLICIT
    )
    assert little.PixelData == original.PixelData
    assert little.Rows == 64
    assert little.ModalityLUTSequence[0].LUTData == np.array([1, 2, 3, 4], "<u2").tobytes()


def test_deflated_data_sets_are_inflated() -> None:
    plain = encoded(image(ramp()))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(plain) + packer.flush()
    assert transcode(packed, str(DeflatedExplicitVRLittleEndian), EXPLICIT) == plain


def test_what_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcoding, "MOST_BYTES", 100_000)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(bytes(10_000_000)) + packer.flush()
    with pytest.raises(TranscodingError, match="too large"):
        transcode(packed, str(DeflatedExplicitVRLittleEndian), EXPLICIT)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_compression_and_back_changes_no_pixel(syntax: str) -> None:
    original = image(ramp())
    compressed = transcode(encoded(original), EXPLICIT, syntax)
    assert len(compressed) < len(original.PixelData)
    plain = read(transcode(compressed, syntax, EXPLICIT), EXPLICIT)
    assert plain.PixelData == original.PixelData
    assert plain.SOPInstanceUID == original.SOPInstanceUID
    assert "LossyImageCompression" not in plain


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_a_frame_of_an_odd_number_of_pixels_is_compressed(workshop: Workshop, syntax: str) -> None:
    original = image(ramp()[:63, :47])
    original.BitsAllocated, original.BitsStored, original.HighBit = 8, 8, 7
    original.PixelData = np.arange(63 * 47, dtype=np.uint32).astype("u1").tobytes() + b"\0"
    there = workshop.transcode(encoded(original), EXPLICIT, syntax)
    back = read(workshop.transcode(there, syntax, EXPLICIT), EXPLICIT)
    assert back.PixelData == original.PixelData


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_big_endian_can_be_compressed(syntax: str) -> None:
    big = encoded(image(ramp().astype(">u2")), little=False)
    plain = read(
        transcode(transcode(big, str(ExplicitVRBigEndian), syntax), syntax, EXPLICIT), EXPLICIT
    )
    assert plain.PixelData == ramp().tobytes()


def test_an_image_that_decodes_to_more_than_allowed_is_not_decoded() -> None:
    original = image(ramp())
    compressed = read(transcode(encoded(original), EXPLICIT, str(RLELossless)), str(RLELossless))
    compressed.Rows = compressed.Columns = 65535
    with pytest.raises(TranscodingError, match="too large"):
        transcode(encoded(compressed), str(RLELossless), EXPLICIT)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (EXPLICIT, str(JPEGBaseline8Bit), "no encoder"),
        (str(JPEGBaseline8Bit), EXPLICIT, "while decoding"),
        ("1.2.840.10008.1.2.4.102", EXPLICIT, "while decoding"),
    ],
)
def test_what_cannot_be_done_says_why(source: str, target: str, reason: str) -> None:
    with pytest.raises(TranscodingError, match=reason):
        transcode(encoded(image(ramp())), source, target)


def test_documents_are_not_compressed() -> None:
    document = image(ramp())
    del document.PixelData
    with pytest.raises(TranscodingError, match="no pixel data"):
        transcode(encoded(document), EXPLICIT, str(RLELossless))


def test_a_process_that_dies_is_replaced() -> None:
    workshop = Workshop()
    try:
        plain = encoded(image(ramp()))
        workshop.transcode(plain, EXPLICIT, IMPLICIT)
        for bench in workshop._idle:
            bench._process.kill()
            bench._process.wait()
        assert workshop.transcode(plain, EXPLICIT, IMPLICIT) == transcode(plain, EXPLICIT, IMPLICIT)
    finally:
        workshop.close()


def test_an_image_that_no_process_survives_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = Workshop()
    monkeypatch.setattr(workshop, "_wall", 0.01)
    work_of_seconds = encoded(image(np.tile(ramp(), (40, 40))))
    try:
        with pytest.raises(TranscodingError, match="crashed or took too much"):
            workshop.transcode(work_of_seconds, EXPLICIT, JPEG2000Lossless)
    finally:
        workshop.close()


def stored_in(path: Path) -> tuple[bytes, str, Dataset]:
    """A file's data set as bytes, its transfer syntax, and the file as pydicom reads it."""
    raw = path.read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    dataset = dcmread(path)
    return raw[start:], str(dataset.file_meta.TransferSyntaxUID), dataset


def pixels(dataset: Dataset) -> NDArray[np.int64]:
    """Decoded pixels, colours as RGB."""
    return dataset.pixel_array.astype(np.int64)


CORNERSTONE = [
    "CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
    "CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm",
    "CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm",
    "CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm",
    "CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm",
    "CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm",
    "CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm",
    "CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm",
    "CTImage.dcm_JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50.dcm",
    "CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm",
    "CTImage.dcm_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm",
    "TestPattern_JPEG-Baseline_YBR422.dcm",
    "TestPattern_JPEG-Baseline_YBRFull.dcm",
    "TestPattern_JPEG-LS-NearLossless.dcm",
    "TestPattern_JPEG-Lossless_RGB.dcm",
    "TestPattern_Palette.dcm",
]


@pytest.mark.samples
@pytest.mark.parametrize("name", ["liver", "liver_nonbyte_aligned"])
@pytest.mark.parametrize("form", ["rle", "deflate"])
def test_compressed_frames_of_single_bits_become_plain(samples: Path, name: str, form: str) -> None:
    folder = samples / "dicom" / "pydicom-data"
    raw, syntax, _ = stored_in(folder / f"{name}_{form}.dcm")
    found = read(transcode(raw, syntax, EXPLICIT), EXPLICIT)
    assert found.PixelData == dcmread(folder / f"{name}.dcm").PixelData


@pytest.mark.samples
@pytest.mark.parametrize("name", CORNERSTONE)
@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
def test_samples_keep_their_pixels(samples: Path, name: str, target: str) -> None:
    raw, syntax, original = stored_in(samples / "dicom" / "cornerstone" / name)
    if syntax == target:
        target = EXPLICIT if target == IMPLICIT else IMPLICIT
    made = read(transcode(raw, syntax, target), target)
    assert np.abs(pixels(original) - pixels(made)).max() <= 2
    assert made.SOPInstanceUID == original.SOPInstanceUID
    assert made.get("PatientName") == original.get("PatientName")
    if syntax == JPEGBaseline8Bit:
        assert made.LossyImageCompression == "01"


@pytest.mark.peer
@pytest.mark.samples
@pytest.mark.parametrize(
    "name",
    [
        "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm",
        "CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm",
        "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
        "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
    ],
)
def test_jpeg_of_twelve_bits_is_decoded_as_dcmtk_does(
    samples: Path, tmp_path: Path, name: str
) -> None:
    path = samples / "dicom" / "cornerstone" / name
    subprocess.run(["/usr/bin/dcmdjpeg", path, tmp_path / "plain.dcm"], check=True)
    raw, syntax, _original = stored_in(path)
    made = read(transcode(raw, syntax, EXPLICIT), EXPLICIT)
    assert np.abs(pixels(dcmread(tmp_path / "plain.dcm")) - pixels(made)).max() <= 2
    assert made.LossyImageCompression == "01"
