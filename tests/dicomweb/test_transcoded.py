"""WADO-RS in the transfer syntax that is asked for (PS3.18 8.7.3)."""

import io
import re
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.dicom.compressing import compress
from apps.studies.models import Correction
from apps.studies.services import correct_study, outgoing_file
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import body_of, get, parts_of, three_frames

pytestmark = [pytest.mark.alike, pytest.mark.django_db]

DICOM = 'multipart/related; type="application/dicom"'
COMPRESSED = [
    ("image/jls", JPEGLSLossless),
    ("image/dicom-rle", RLELossless),
    ("image/jp2", JPEG2000Lossless),
    ("image/jphc", HTJ2KLossless),
    ("image/jpeg", JPEGLosslessSV1),
]


def image(frames: int = 1) -> Dataset:
    """Large enough for every codec."""
    cells = np.random.default_rng(3).integers(0, 4000, (frames, 64, 70), dtype="<u2")
    return ct_image(Rows=64, Columns=70, NumberOfFrames=frames, PixelData=cells.tobytes())


def compressed(syntax: str, frames: int = 1) -> Dataset:
    made = image(frames)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    compress(made, syntax)
    return made


@pytest.mark.parametrize("stored", [JPEGLSLossless, RLELossless, JPEG2000Lossless])
def test_without_a_transfer_syntax_it_is_explicit_little_endian(
    radiologist: Client, keep: Keep, stored: str
) -> None:
    plain = image(2).PixelData
    row = keep(compressed(stored, 2), syntax=stored)
    for accept in (DICOM, "*/*", f'{DICOM}; transfer-syntax="1.2.840.10008.1.2.1"'):
        ((kind, data),) = parts_of(get(radiologist, address_of(row), accept))
        assert kind == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
        found = dcmread(io.BytesIO(data))
        assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert found.file_meta.MediaStorageSOPInstanceUID == row.sop_instance_uid
        assert found.PixelData == plain
    bare = get(radiologist, address_of(row), "application/dicom")
    assert dcmread(io.BytesIO(body_of(bare))).PixelData == plain
    series = address_of(row).rpartition("/instances/")[0]
    streamed = radiologist.get(series, headers={"accept": DICOM}).getvalue()
    assert plain in streamed


@pytest.mark.parametrize(
    "stored",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLSLossless,
    ],
)
def test_what_is_stored_comes_byte_by_byte_when_asked_for(
    radiologist: Client, keep: Keep, stored: str
) -> None:
    row = keep(compressed(stored) if stored == JPEGLSLossless else image(), syntax=stored)
    whole = b"".join(outgoing_file(row)[1]())
    for syntax in ("*", stored):
        ((kind, data),) = parts_of(
            get(radiologist, address_of(row), f"{DICOM}; transfer-syntax={syntax}")
        )
        assert kind == f"application/dicom; transfer-syntax={stored}"
        assert data == whole


@pytest.mark.parametrize(("kind", "syntax"), COMPRESSED)
@pytest.mark.parametrize("stored", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_plain_images_are_compressed_for_who_asks(
    radiologist: Client, keep: Keep, stored: str, kind: str, syntax: str
) -> None:
    source = image(2)
    row = keep(source, syntax=stored)
    accept = f"{DICOM}; transfer-syntax={syntax}"
    ((_, data),) = parts_of(get(radiologist, address_of(row), accept))
    found = dcmread(io.BytesIO(data))
    assert found.file_meta.TransferSyntaxUID == syntax
    assert (found.pixel_array.ravel() == np.frombuffer(source.PixelData, "<u2")).all()
    frames = get(radiologist, f"{address_of(row)}/frames/2", f"multipart/related; type={kind}")
    ((label, stream),) = parts_of(frames)
    assert label == f"{kind}; transfer-syntax={syntax}"
    assert decoded(stream, syntax) == source.PixelData[len(source.PixelData) // 2 :]


def decoded(stream: bytes, syntax: str) -> bytes:
    one = image()
    one.PixelData = encapsulate([stream])
    one["PixelData"].is_undefined_length = True
    one["PixelData"].VR = "OB"
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = UID(syntax)
    one.decompress(generate_instance_uid=False)
    plain: bytes = one.PixelData
    return plain


@pytest.mark.parametrize(("kind", "syntax"), COMPRESSED)
def test_frames_are_decoded_for_who_takes_plain_ones(
    radiologist: Client, keep: Keep, kind: str, syntax: str
) -> None:
    row = keep(compressed(syntax, 3), syntax=syntax)
    plain = image(3).PixelData
    size = len(plain) // 3
    accept = "multipart/related; type=application/octet-stream"
    parts = parts_of(get(radiologist, f"{address_of(row)}/frames/3,1", accept))
    assert parts == [
        (f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}", frame)
        for frame in (plain[2 * size :], plain[:size])
    ]
    stored = get(radiologist, f"{address_of(row)}/frames/3", f"{accept}; transfer-syntax=*")
    again = get(radiologist, f"{address_of(row)}/frames/3", f"multipart/related; type={kind}")
    assert parts_of(stored)[0][1] == parts_of(again)[0][1]


def test_a_colour_jpeg_is_passed_through_or_decoded(radiologist: Client, samples_jpeg: Any) -> None:
    row, stream = samples_jpeg
    typed = get(radiologist, f"{address_of(row)}/frames/1", "image/jpeg")
    assert typed["Content-Type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"
    assert body_of(typed) == stream
    octets = body_of(get(radiologist, f"{address_of(row)}/frames/1", "application/octet-stream"))
    assert len(octets) == row.rows * row.columns * 3


@pytest.fixture
def samples_jpeg(keep: Keep) -> tuple[Any, bytes]:
    """A colour image of one JPEG, and the JPEG."""
    target = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 10, 30)).save(target, "JPEG", quality=90)
    stream = target.getvalue() + b"\0" * (len(target.getvalue()) % 2)
    made = ct_image(
        Rows=8,
        Columns=16,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=encapsulate([stream]),
    )
    made["PixelData"].is_undefined_length = True
    made["PixelData"].VR = "OB"
    return keep(made, syntax=JPEGBaseline8Bit), stream


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/octet-stream; transfer-syntax=*; q=0.1, image/jls; q=0.9", "image/jls"),
        ("image/*", "image/jls"),
        ("application/octet-stream", "application/octet-stream"),
        ('image/jp2; transfer-syntax="1.2.840.10008.1.2.4.90"', "image/jp2"),
        ("text/html, image/dicom-rle;q=0.2, */*;q=0.1", "image/dicom-rle"),
        ("image/jpeg", "image/jpeg"),
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", 406),
        ("image/jphc", "image/jphc"),
        ("image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202", "image/jphc"),
        ("image/jphc; transfer-syntax=1.2.840.10008.1.2.4.203", 406),
        ("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.80", 406),
        ("application/dicom+json", 406),
        ("image/jls;q=0", 406),
    ],
)
def test_the_best_acceptable_form_is_chosen(
    radiologist: Client, keep: Keep, accept: str, status: str | int
) -> None:
    answer = get(radiologist, f"{address_of(keep(image()))}/frames/1", accept)
    if isinstance(status, int):
        assert answer.status_code == status
        assert "octet-stream" in answer.json()["error"]
    else:
        assert answer["Content-Type"].startswith(f"{status};")


def test_the_query_goes_before_the_header(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(image()))}/frames/1?accept=image/jls"
    assert get(radiologist, address, "text/html")["Content-Type"].startswith("image/jls")


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless, JPEG2000Lossless])
def test_what_has_nothing_to_compress_comes_plain_among_the_images(
    radiologist: Client, keep: Keep, syntax: str
) -> None:
    first = image()
    of_it = {"StudyInstanceUID": first.StudyInstanceUID}
    bits = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "Rows": 8, "Columns": 8}
    mask = ct_image(**of_it, **bits, PixelData=b"\x0f" * 8)
    report = ct_image(**of_it, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    for name in ("PixelData", "Rows", "Columns"):
        del report[name]
    row = keep(first)
    others = [keep(mask), keep(report)]
    accept = f'{DICOM}; transfer-syntax="{syntax}"'
    study = address_of(row).partition("/series/")[0]
    body = radiologist.get(study, headers={"accept": accept}).getvalue()
    kinds = re.findall(rb"\r\nContent-Type: application/dicom; transfer-syntax=([0-9.]+)", body)
    plain = str(ExplicitVRLittleEndian)
    assert [kind.decode() for kind in kinds] == [syntax, plain, plain]
    assert mask.PixelData in body
    for one in others:
        ((kind, _),) = parts_of(get(radiologist, address_of(one), accept))
        assert kind.endswith(plain)


def test_an_image_too_small_for_jpeg_2000_comes_plain(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image(Rows=31, Columns=64, PixelData=bytes(31 * 64 * 2)))
    accept = f'{DICOM}; transfer-syntax="{JPEG2000Lossless}"'
    ((kind, data),) = parts_of(get(radiologist, address_of(row), accept))
    assert kind.endswith(ExplicitVRLittleEndian)
    assert dcmread(io.BytesIO(data)).Rows == 31


def test_a_codec_that_fails_is_not_acceptable_and_the_stored_form_still_is(
    radiologist: Client, keep: Keep
) -> None:
    broken = image()
    broken.PixelData = encapsulate([b"\xff\xd8 no image at all"])
    broken["PixelData"].is_undefined_length = True
    broken["PixelData"].VR = "OB"
    row = keep(broken, syntax=JPEGLSLossless)
    for address in (address_of(row), f"{address_of(row)}/frames/1"):
        answer = get(radiologist, address, "*/*")
        assert answer.status_code == 406
        assert "transfer-syntax=*" in answer.json()["error"]
    stored = "application/octet-stream; transfer-syntax=*"
    assert get(radiologist, f"{address_of(row)}/frames/1", stored).status_code == 200


def test_a_video_cannot_be_decoded_and_says_how_it_is_to_be_had(
    radiologist: Client, keep: Keep
) -> None:
    video = ct_image(PixelData=encapsulate([bytes(100)]))
    video["PixelData"].is_undefined_length = True
    video["PixelData"].VR = "OB"
    row = keep(video, syntax="1.2.840.10008.1.2.4.102")
    answer = get(radiologist, address_of(row), "application/dicom")
    assert answer.status_code == 406
    assert "1.2.840.10008.1.2.4.102" in answer.json()["error"]
    assert get(radiologist, address_of(row), f"{DICOM}; transfer-syntax=*").status_code == 200


def test_corrections_are_in_what_was_transcoded(
    radiologist: Client, keep: Keep, origin: Origin
) -> None:
    row = keep(compressed(RLELossless), syntax=RLELossless)
    change = Change("00100010", "PN", [{"Alphabetic": "Real^Name"}])
    correct_study(
        row.series.study,
        changes=[change],
        reason="typing",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    found = dcmread(io.BytesIO(body_of(get(radiologist, address_of(row), "application/dicom"))))
    assert found.PatientName == "Real^Name"


def test_frames_out_of_a_plain_multiframe_need_few_queries(
    radiologist: Client, keep: Keep, django_assert_max_num_queries: Any
) -> None:
    address = f"{address_of(keep(three_frames()))}/frames/2"
    get(radiologist, address)
    with django_assert_max_num_queries(5):
        get(radiologist, address)
