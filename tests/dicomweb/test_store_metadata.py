"""STOW-RS of metadata and bulk data that come apart (PS3.18 10.5.2)."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from jpeg_ls import encode_array  # type: ignore[import-untyped]
from openjpeg.utils import encode_array as encode_jpeg_2000
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from apps.dicom.codestreams import read_codestream
from apps.dicom.native_xml import native_xml
from apps.studies.models import Instance
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image

pytestmark = [pytest.mark.alike, pytest.mark.django_db]
PIXEL_ATTRIBUTES = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
)
GREY = np.add.outer(np.arange(0, 96, 2), np.arange(0, 128, 2)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


@pytest.fixture
def technologist(as_role: Callable[[str], Client]) -> Client:
    return as_role("technologist")


def metadata(*left_out: str, **values: Any) -> dict[str, Any]:
    dataset = ct_image(**values, **dict.fromkeys(left_out))
    return dict(dataset.to_json_dict())


def send(client: Client, kind: str, *parts: tuple[str, bytes]) -> Any:
    """`parts`: header lines apart by `|`, and bytes."""
    content = b"".join(
        b"--edge\r\n" + head.replace("|", "\r\n").encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return client.post(
        "/dicom-web/studies",
        content + b"--edge--\r\n",
        content_type=f'multipart/related; type="{kind}"; boundary=edge',
    )


def as_json(client: Client, what: dict[str, Any], *bulk: tuple[str, bytes]) -> Any:
    part = ("Content-Type: application/dicom+json", json.dumps([what]).encode())
    return send(client, "application/dicom+json", part, *bulk)


def stored() -> Dataset:
    with stored_files().open(Instance.objects.get().file_name) as file:
        return dcmread(io.BytesIO(file.read()))


def jpeg(pixels: Any, **how: Any) -> bytes:
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "JPEG", quality=95, **how)
    return made.getvalue()


def jpeg_2000_file(codestream: bytes) -> bytes:
    """The code stream in the boxes of a JP2 file, as far as a reader needs them."""
    signature = b"\0\0\0\x0cjP  \r\n\x87\n"
    return signature + (len(codestream) + 8).to_bytes(4, "big") + b"jp2c" + codestream


J2K = encode_jpeg_2000(GREY)
IMAGES = {
    "jpeg": ("image/jpeg", jpeg(GREY), "1.2.840.10008.1.2.4.50", GREY, 2),
    "colour jpeg": ("image/jpeg", jpeg(COLOUR, subsampling=0), "1.2.840.10008.1.2.4.50", None, 0),
    "jpeg 2000": ("image/jp2", J2K, "1.2.840.10008.1.2.4.90", GREY, 0),
    "jpeg 2000 file": ("image/jp2", jpeg_2000_file(J2K), "1.2.840.10008.1.2.4.90", GREY, 0),
    "jpeg-ls": ("image/jls", bytes(encode_array(GREY)), "1.2.840.10008.1.2.4.80", GREY, 0),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_of_which_the_metadata_knows_no_size(technologist: Client, name: str) -> None:
    media_type, content, syntax, pixels, apart = IMAGES[name]
    what = metadata(*PIXEL_ATTRIBUTES)
    what["7FE00010"] = {"vr": "OB", "BulkDataURI": "pixels/1"}
    answer = as_json(
        technologist, what, (f"Content-Type: {media_type}|Content-Location: pixels/1", content)
    )
    assert answer.status_code == 200, answer.content
    made = stored()
    assert made.file_meta.TransferSyntaxUID == syntax
    assert (made.Rows, made.Columns, made.BitsStored) == (48, 64, 8)
    assert str(made.PatientName) == "Müller^Jörg"
    assert made.get("LossyImageCompression") == ("01" if media_type == "image/jpeg" else None)
    if pixels is None:
        assert made.PhotometricInterpretation == "YBR_FULL"
        assert made.pixel_array.shape == (48, 64, 3)
    else:
        found = made.pixel_array.astype(int)
        assert np.abs(found - pixels.astype(int)).max() <= apart


def test_frames_each_in_a_part_of_one_name(technologist: Client) -> None:
    what = metadata(*PIXEL_ATTRIBUTES, NumberOfFrames=2)
    what["7FE00010"] = {"vr": "OB", "BulkDataURI": "frames"}
    head = "Content-Type: image/jpeg|Content-Location: frames"
    bulk = [(head, jpeg(GREY)), (head, jpeg(GREY.T.copy().reshape(48, 64)))]
    assert as_json(technologist, what, *bulk).status_code == 200
    assert stored().pixel_array.shape == (2, 48, 64)
    assert len(Instance.objects.get().frame_table or []) == 2


def test_pixels_as_they_are_and_other_bulk_data(technologist: Client) -> None:
    what = metadata("PixelData")
    what["7FE00010"] = {"vr": "OW", "BulkDataURI": "http://127.0.0.1:1/never-asked"}
    what["00091001"] = {"vr": "OB", "BulkDataURI": "private"}
    what["00090010"] = {"vr": "LO", "Value": ["MAKER"]}
    octets = "Content-Type: application/octet-stream|Content-Location: "
    bulk = [
        (f"{octets}http://127.0.0.1:1/never-asked", np.arange(24, dtype="<u2").tobytes()),
        (f"{octets}private", b"odd"),
    ]
    assert as_json(technologist, what, *bulk).status_code == 200
    made = stored()
    assert made.pixel_array.tolist() == np.arange(24).reshape(4, 6).tolist()
    assert made[0x0009, 0x1001].value == b"odd\0"
    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_a_document(technologist: Client, kind: str) -> None:
    what = metadata(
        *PIXEL_ATTRIBUTES, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", DocumentTitle="Letter"
    )
    what["00420011"] = {"vr": "OB", "BulkDataURI": "letter.pdf"}
    pdf = b"%PDF-1.7\n" + b"x" * 1000
    bulk = ("Content-Type: application/pdf|Content-Location: letter.pdf", pdf)
    if kind == "json":
        answer = as_json(technologist, what, bulk)
    else:
        head = "Content-Type: application/dicom+xml"
        answer = send(technologist, "application/dicom+xml", (head, native_xml(what)), bulk)
    assert answer.status_code == 200, answer.content
    made = stored()
    assert made.EncapsulatedDocument == pdf + b"\0"
    assert made.EncapsulatedDocumentLength == len(pdf)
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert (made.DocumentTitle, str(made.PatientName)) == ("Letter", "Müller^Jörg")


@pytest.mark.parametrize(
    ("media_type", "content", "syntax"),
    [
        ("video/mp4", b"\0\0\0\x18ftypmp42" + bytes(40) + b"avc1" + bytes(5000), "102"),
        ("video/mp4", b"\0\0\0\x18ftypmp42" + bytes(40) + b"hvc1" + bytes(5001), "107"),
        ("video/mpeg", b"\0\0\1\xba" + bytes(5000), "100"),
    ],
)
def test_a_video(technologist: Client, media_type: str, content: bytes, syntax: str) -> None:
    what = metadata("PixelData", SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.4.1", NumberOfFrames=25)
    what["7FE00010"] = {"vr": "OB", "BulkDataURI": "film"}
    bulk = (f"Content-Type: {media_type}|Content-Location: film", content)
    assert as_json(technologist, what, bulk).status_code == 200
    made = stored()
    assert made.file_meta.TransferSyntaxUID == f"1.2.840.10008.1.2.4.{syntax}"
    assert made.PixelData[16 : 16 + len(content)] == content


def wrong(**elements: Any) -> dict[str, Any]:
    return {**metadata(*PIXEL_ATTRIBUTES), **elements}


PIXELS = {"vr": "OB", "BulkDataURI": "here"}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (wrong(**{"7FE00010": {"vr": "OB", "BulkDataURI": "elsewhere"}}), 0x0110),
        (wrong(**{"7FE00010": {"vr": "OB", "BulkDataURI": "file:///etc/passwd"}}), 0x0110),
        (wrong(**{"7FE00010": PIXELS, "00280010": {"vr": "US", "Value": [49]}}), 0xA900),
        (wrong(**{"7FE00010": PIXELS, "00280008": {"vr": "IS", "Value": [3]}}), 0xA900),
        (wrong(**{"7FE00010": PIXELS, "00200013": {"vr": "IS", "Value": ["one"]}}), 0xC000),
        (wrong(**{"00200013": {"vr": "IS", "Value": [{"a": 1}]}}), 0xC000),
        (wrong(**{"0020000D": {"vr": "UI"}}), 0xC000),
    ],
    ids=["missing", "a file", "rows", "frames", "number", "nonsense", "no study"],
)
def test_what_cannot_be_put_together_is_refused_with_its_reason(
    technologist: Client, spool: Spool, what: dict[str, Any], reason: int
) -> None:
    bulk = ("Content-Type: image/jpeg|Content-Location: here", jpeg(GREY))
    answer = as_json(technologist, what, bulk)
    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [reason]
    if what["0020000D"].get("Value"):  # else it is the file that has no name
        assert answer["Warning"].startswith("299 http://testserver/dicom-web: ")
    assert failed["00081155"]["Value"] == what["00080018"]["Value"]
    assert not Instance.objects.exists()
    assert not list(spool.staged.iterdir())


def test_the_reason_is_told_in_one_line_whatever_the_sender_says(technologist: Client) -> None:
    what = wrong(**{"7FE00010": PIXELS})
    bulk = ("Content-Type: image/\nSet-Cookie: é|Content-Location: here", b"x")
    answer = as_json(technologist, what, bulk)
    assert answer.status_code == 409
    said = "no pixel data are image/ set-cookie: ?"
    assert answer["Warning"] == f"299 http://testserver/dicom-web: {said}"


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("application/dicom+json", [("Content-Type: application/dicom+json", b"[{")]),
        ("application/dicom+json", [("Content-Type: application/dicom+json", b"{}")]),
        ("application/dicom+json", [("Content-Type: image/jpeg", b"x")]),
        ("application/dicom+xml", [("Content-Type: application/dicom+xml", b"<a>")]),
        ("application/dicom+xml", [("Content-Type: application/dicom+xml", b"<a/>")]),
        (
            "application/dicom+xml",
            [
                (
                    "Content-Type: application/dicom+xml",
                    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
                )
            ],
        ),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(
    technologist: Client, kind: str, parts: list[tuple[str, bytes]]
) -> None:
    answer = send(technologist, kind, *parts)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x11", b"\xff\xd8\xff\xda"])
def test_cut_off_images_are_refused(technologist: Client, data: bytes) -> None:
    what = wrong(**{"7FE00010": PIXELS})
    bulk = ("Content-Type: image/jpeg|Content-Location: here", data)
    answer = as_json(technologist, what, bulk)
    assert answer.status_code == 409
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]


KINDS = {"50": "jpeg", "51": "jpeg", "57": "jpeg", "70": "jpeg", "80": "jls", "81": "jls"}
KINDS |= {"90": "jp2", "91": "jp2", "201": "jphc", "203": "jphc"}


@pytest.mark.samples
def test_the_headers_of_real_images_say_what_their_files_say(samples: Path) -> None:
    seen = set()
    for path in (samples / "dicom" / "cornerstone").glob("CTImage.dcm_*"):
        with warnings.catch_warnings(action="ignore"):
            row = dcmread(path)
        syntax = str(row.file_meta.TransferSyntaxUID)
        if kind := KINDS.get(syntax.removeprefix("1.2.840.10008.1.2.4.")):
            found = read_codestream(f"image/{kind}", get_frame(row.PixelData, 0))
            # The lossless wavelet may go by either name of JPEG 2000.
            assert found.transfer_syntax_uid in (syntax, syntax.replace(".91", ".90"))
            assert (found.rows, found.columns, found.samples) == (row.Rows, row.Columns, 1)
            seen.add(syntax.rpartition(".")[2])
    assert seen >= {"51", "57", "70", "80", "90", "91"}
