"""WADO-RS: bulk data and pixel data, whole and in ranges."""

from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.studies.models import Instance
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import body_of, get, parts_of, three_frames

pytestmark = pytest.mark.django_db
OCTETS = "application/octet-stream"
DOCUMENT = b"%PDF-1.7 " + bytes(range(256)) * 400


def document(**values: Any) -> Dataset:
    return ct_image(
        SOPClassUID=EncapsulatedPDFStorage,
        EncapsulatedDocument=DOCUMENT + b"\0" * (len(DOCUMENT) % 2),
        PixelData=None,
        Rows=None,
        **values,
    )


@pytest.fixture
def pdf(keep: Keep) -> str:
    return f"{address_of(keep(document()))}/bulkdata/00420011"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=5-999999999", 5, None),
    ],
)
def test_a_range_is_answered_with_that_range(
    radiologist: Client, pdf: str, asked: str, start: int, end: int | None
) -> None:
    whole = body_of(get(radiologist, pdf, OCTETS))
    answer = get(radiologist, pdf, OCTETS, range=asked)
    assert answer.status_code == 206
    assert body_of(answer) == whole[start:end]
    first = start % len(whole)
    last = first + len(whole[start:end]) - 1
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=9999999-", "bytes=-0"])
def test_a_range_without_bytes_cannot_be_satisfied(
    radiologist: Client, pdf: str, asked: str
) -> None:
    whole = body_of(get(radiologist, pdf, OCTETS))
    answer = get(radiologist, pdf, OCTETS, range=asked)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-2", "bytes=-", "lines=1-2", "x"])
def test_other_ranges_are_passed_over(radiologist: Client, pdf: str, asked: str) -> None:
    assert get(radiologist, pdf, OCTETS, range=asked).status_code == 200


def test_a_range_of_what_has_changed_is_the_whole(radiologist: Client, pdf: str) -> None:
    etag = get(radiologist, pdf, OCTETS)["ETag"]
    same = get(radiologist, pdf, OCTETS, range="bytes=0-9", **{"if-range": etag})
    other = get(radiologist, pdf, OCTETS, range="bytes=0-9", **{"if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_ranges_reach_over_the_pieces_of_a_file(radiologist: Client, keep: Keep) -> None:
    row = keep(three_frames())
    whole = body_of(get(radiologist, address_of(row), "application/dicom; transfer-syntax=*"))
    part = get(
        radiologist,
        address_of(row),
        "application/dicom; transfer-syntax=*",
        range=f"bytes=100-{len(whole) - 20}",
    )
    assert body_of(part) == whole[100 : len(whole) - 19]


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_pixel_data_are_one_value_where_they_are_plain(
    radiologist: Client, keep: Keep, syntax: str
) -> None:
    image = three_frames()
    plain = bytes(image.PixelData)
    if syntax == ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(plain, "<u2").astype(">u2").tobytes()
    row = keep(image, syntax=syntax)
    (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
    assert made["7FE00010"]["vr"] == "OW"
    for address in (made["7FE00010"]["BulkDataURI"], f"{address_of(row)}/pixeldata"):
        assert body_of(get(radiologist, address, OCTETS)) == plain
        ((kind, data),) = parts_of(get(radiologist, address))
        assert kind == f"{OCTETS}; transfer-syntax={ExplicitVRLittleEndian}"
        assert data == plain


def test_float_pixels_are_where_metadata_say(radiologist: Client, keep: Keep) -> None:
    cells = np.arange(24, dtype="<f4")
    row = keep(
        ct_image(
            PixelData=None,
            FloatPixelData=cells.tobytes(),
            BitsAllocated=32,
            PixelRepresentation=None,
        )
    )
    (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
    assert "7FE00010" not in made
    assert made["7FE00008"]["vr"] == "OF"
    assert body_of(get(radiologist, made["7FE00008"]["BulkDataURI"], OCTETS)) == cells.tobytes()


def test_without_pixels_none_are_pointed_to(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image(PixelData=None))
    (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
    assert "7FE00010" not in made
    for what in ("pixeldata", "bulkdata/7FE00010"):
        assert get(radiologist, f"{address_of(row)}/{what}").status_code == 404


def all_parts(client: Client, address: str) -> list[tuple[str, bytes]]:
    answer = get(client, address)
    assert answer.status_code == 200
    body = answer.getvalue()
    boundary = answer["Content-Type"].rpartition("boundary=")[2].encode()
    parts = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        location = head.decode().partition("Content-Location: ")[2].split("\r\n")[0]
        parts.append((location, data.removesuffix(b"\r\n")))
    return parts


def test_all_bulk_data_come_with_their_addresses(radiologist: Client, keep: Keep) -> None:
    item = Dataset()
    item.WaveformData = bytes(range(250)) * 100
    item["WaveformData"].VR = "OW"
    image = ct_image(WaveformSequence=[item])
    row = keep(image)
    keep(document(StudyInstanceUID=image.StudyInstanceUID))
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    found = dict(all_parts(radiologist, f"{study}/bulkdata"))
    assert len(found) == 2
    for location, data in found.items():
        assert body_of(get(radiologist, location, OCTETS)) == data
    own = all_parts(radiologist, f"{address_of(row)}/bulkdata")
    assert own == [(f"{address_of(row)}/bulkdata/54000100/0/54001010", item.WaveformData)]
    series = address_of(row).rpartition("/instances/")[0]
    assert all_parts(radiologist, f"{series}/bulkdata") == own


def test_all_pixel_data_come_image_after_image(radiologist: Client, keep: Keep) -> None:
    image = ct_image()
    rows: list[Instance] = [
        keep(image),
        keep(three_frames(StudyInstanceUID=image.StudyInstanceUID)),
    ]
    keep(document(StudyInstanceUID=image.StudyInstanceUID))
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    found = dict(all_parts(radiologist, f"{study}/pixeldata"))
    assert found == {
        f"{address_of(row)}/pixeldata": body_of(
            get(radiologist, f"{address_of(row)}/pixeldata", OCTETS)
        )
        for row in rows
    }


def test_nothing_to_point_to_is_not_found(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image())
    for wrong in ("bulkdata", "bulkdata/00100010/0", "bulkdata/../x", "bulkdata/00080005/0/1"):
        assert get(radiologist, f"{address_of(row)}/{wrong}").status_code == 404
