"""WADO-RS: metadata, files, frames, bulk data."""

import gzip
import io
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    TwelveLeadECGWaveformStorage,
)

from apps.audit.models import Event
from apps.studies.storage import FolderStorage, StorageAwayError
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of

pytestmark = pytest.mark.django_db

ANY_FRAME = "multipart/related; type=application/octet-stream; transfer-syntax=*"
BARE_FRAME = "application/octet-stream; transfer-syntax=*"


def body_of(answer: Any) -> bytes:
    content = answer.getvalue()
    assert len(content) == int(answer["Content-Length"])
    return bytes(content)


def parts_of(answer: Any) -> list[tuple[str, bytes]]:
    """Content type and payload of every part, read by another implementation."""
    assert answer.status_code == 200, answer.content
    head = f"Content-Type: {answer['Content-Type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message: Any = message_from_bytes(head + body_of(answer))
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in message.get_payload()]


def get(client: Client, address: str, accept: str = "*/*", **more: str) -> Any:
    return client.get(address, headers={"accept": accept, **more})


def three_frames(**values: Any) -> Dataset:
    frames = np.arange(72, dtype="<u2")
    return ct_image(NumberOfFrames=3, PixelData=frames.tobytes(), **values)


def test_metadata_are_those_of_the_header(radiologist: Client, keep: Keep) -> None:
    image = ct_image()
    row = keep(image)
    (made,) = get(radiologist, f"{address_of(row)}/metadata", "application/dicom+json").json()
    pixels = made.pop("7FE00010")
    assert pixels == {"vr": "OW", "BulkDataURI": f"{address_of(row)}/bulkdata/7FE00010"}
    assert made.pop("00083002")["Value"] == [row.transfer_syntax_uid]
    del image.PixelData
    assert made == image.to_json_dict()


def test_metadata_of_a_series_are_kept_compressed_until_it_changes(
    radiologist: Client, keep: Keep
) -> None:
    image = ct_image()
    series = address_of(keep(image)).rsplit("/instances", maxsplit=1)[0]
    first = get(radiologist, f"{series}/metadata", "application/dicom+json")
    again = get(
        radiologist,
        f"{series}/metadata",
        "application/dicom+json",
        **{"accept-encoding": "gzip, deflate"},
    )
    assert again["Content-Encoding"] == "gzip"
    assert gzip.decompress(again.content) == first.content
    unchanged = get(radiologist, f"{series}/metadata", **{"if-none-match": first["ETag"]})
    assert unchanged.status_code == 304
    keep(
        ct_image(
            StudyInstanceUID=image.StudyInstanceUID,
            SeriesInstanceUID=image.SeriesInstanceUID,
            InstanceNumber=2,
        )
    )
    later = get(radiologist, f"{series}/metadata", **{"if-none-match": first["ETag"]})
    assert [one["00200013"]["Value"] for one in later.json()] == [[1], [2]]
    assert "private" in later["Cache-Control"]


def test_metadata_of_a_study_are_those_of_its_series(radiologist: Client, keep: Keep) -> None:
    image = ct_image()
    keep(image)
    keep(ct_image(StudyInstanceUID=image.StudyInstanceUID))
    answer = get(radiologist, f"/dicom-web/studies/{image.StudyInstanceUID}/metadata")
    content = answer.getvalue()
    assert content.count(b'"00080018"') == 2
    assert content.startswith(b"[{")
    assert content.endswith(b"}]")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1"])
def test_a_frame_comes_as_stored(radiologist: Client, keep: Keep, syntax: str) -> None:
    image = three_frames()
    row = keep(image, syntax=syntax)
    answer = get(radiologist, f"{address_of(row)}/frames/2", ANY_FRAME)
    assert parts_of(answer) == [
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", image.PixelData[48:96])
    ]
    bare = get(radiologist, f"{address_of(row)}/frames/2", BARE_FRAME)
    assert bare["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert body_of(bare) == image.PixelData[48:96]


def test_a_list_of_frames_comes_in_its_order(radiologist: Client, keep: Keep) -> None:
    image = three_frames()
    answer = get(radiologist, f"{address_of(keep(image))}/frames/3,1", ANY_FRAME)
    assert [data for _, data in parts_of(answer)] == [
        image.PixelData[96:],
        image.PixelData[:48],
    ]


@pytest.mark.parametrize("with_table", [True, False])
def test_compressed_frames_come_as_their_code_streams(
    radiologist: Client, keep: Keep, with_table: bool
) -> None:
    streams = [b"\xff\x4f\xff\x51" + bytes([number]) * 20 for number in range(3)]
    encoded = encapsulate(streams, has_bot=with_table)
    image = ct_image(NumberOfFrames=3, PixelData=encoded)
    image["PixelData"].is_undefined_length = True
    image["PixelData"].VR = "OB"
    row = keep(image, syntax=JPEG2000Lossless)
    answer = get(radiologist, f"{address_of(row)}/frames/3,2", ANY_FRAME)
    assert [data for _, data in parts_of(answer)] == [streams[2], streams[1]]
    typed = get(radiologist, f"{address_of(row)}/frames/1", "multipart/related; type=image/jp2")
    assert parts_of(typed) == [(f"image/jp2; transfer-syntax={JPEG2000Lossless}", streams[0])]


def test_big_endian_and_deflated_pixels_come_as_little_endian(
    radiologist: Client, keep: Keep
) -> None:
    plain = three_frames()
    expected = plain.PixelData[48:96]
    deflated = keep(three_frames(), syntax=DeflatedExplicitVRLittleEndian)
    big = three_frames()
    big.PixelData = np.frombuffer(big.PixelData, "<u2").astype(">u2").tobytes()
    rows = [deflated, keep(big, syntax=ExplicitVRBigEndian)]
    for row in rows:
        answer = get(radiologist, f"{address_of(row)}/frames/2", ANY_FRAME)
        assert parts_of(answer) == [
            ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", expected)
        ]
        (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
        assert made["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]


def test_frames_of_single_bits_are_cut_between_bits(radiologist: Client, keep: Keep) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 15), dtype=np.uint8)
    image = ct_image(
        NumberOfFrames=3,
        Rows=3,
        Columns=5,
        BitsAllocated=1,
        BitsStored=1,
        HighBit=0,
        PixelData=np.packbits(bits.ravel(), bitorder="little").tobytes(),
    )
    ((_, data),) = parts_of(get(radiologist, f"{address_of(keep(image))}/frames/2", ANY_FRAME))
    unpacked = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    assert (unpacked[:15] == bits[1]).all()


@pytest.mark.parametrize("frames", ["0", "4", "1,4", "x", "1,,2", "-1", "9" * 30])
def test_a_frame_that_is_not_there_is_a_bad_request(
    radiologist: Client, keep: Keep, frames: str
) -> None:
    answer = get(radiologist, f"{address_of(keep(three_frames()))}/frames/{frames}", ANY_FRAME)
    assert answer.status_code == 400
    assert "frames" in answer.json()["error"]


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        "multipart/related; type=image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50",
        "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.50",
        "application/octet-stream;q=0",
    ],
)
def test_what_cannot_be_served_is_not_acceptable(
    radiologist: Client, keep: Keep, accept: str
) -> None:
    row = keep(ct_image())
    answer = get(radiologist, f"{address_of(row)}/frames/1", accept)
    assert answer.status_code == 406
    assert "application/octet-stream" in answer.json()["error"]
    wanted = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2'
    assert get(radiologist, address_of(row), wanted).status_code == 406


def test_files_come_whole(radiologist: Client, keep: Keep) -> None:
    image = ct_image()
    row = keep(image)
    other = keep(ct_image(StudyInstanceUID=image.StudyInstanceUID))
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    files = [dcmread(io.BytesIO(data)) for _, data in parts_of(get(radiologist, study, accept))]
    assert {one.SOPInstanceUID for one in files} == {
        row.sop_instance_uid,
        other.sop_instance_uid,
    }
    series = f"{study}/series/{row.series.series_instance_uid}"
    assert len(parts_of(get(radiologist, series, accept))) == 1
    bare = get(radiologist, address_of(row), "application/dicom")
    assert dcmread(io.BytesIO(body_of(bare))) == files[0]
    assert bare["X-Content-Type-Options"] == "nosniff"


def test_what_is_stored_may_be_kept_by_the_browser_alone(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image())
    answer = get(radiologist, f"{address_of(row)}/frames/1", BARE_FRAME)
    body_of(answer)
    assert answer["Cache-Control"].startswith("private")
    assert "immutable" in answer["Cache-Control"]
    again = get(
        radiologist,
        f"{address_of(row)}/frames/1",
        BARE_FRAME,
        **{"if-none-match": answer["ETag"]},
    )
    assert again.status_code == 304


def test_a_document_is_bulk_data_in_either_form(radiologist: Client, keep: Keep) -> None:
    document = b"%PDF-1.7 " + b"x" * 100_001
    image = ct_image(
        SOPClassUID=EncapsulatedPDFStorage,
        EncapsulatedDocument=document,
        PixelData=None,
        Rows=None,
    )
    row = keep(image)
    (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
    uri = made["00420011"]["BulkDataURI"]
    assert uri == f"{address_of(row)}/bulkdata/00420011"
    bare = get(radiologist, uri, "application/pdf")
    assert bare["Content-Type"] == "application/pdf"
    assert body_of(bare) == document + b"\0" * (len(document) % 2)
    both = (
        'multipart/related; type="application/pdf", '
        'multipart/related; type="application/octet-stream"'
    )
    ((kind, data),) = parts_of(get(radiologist, uri, both))
    assert kind == "application/pdf"
    assert data.startswith(document)


def test_a_waveform_in_a_sequence_is_bulk_data_by_its_path(radiologist: Client, keep: Keep) -> None:
    waveform = Dataset()
    waveform.WaveformBitsAllocated = 16
    waveform.WaveformData = bytes(range(250)) * 200
    waveform["WaveformData"].VR = "OW"
    image = ct_image(
        SOPClassUID=TwelveLeadECGWaveformStorage,
        WaveformSequence=[waveform],
        PixelData=None,
        Rows=None,
    )
    row = keep(image)
    (made,) = get(radiologist, f"{address_of(row)}/metadata").json()
    uri = made["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
    assert body_of(get(radiologist, uri, "application/octet-stream")) == waveform.WaveformData
    for wrong in ("54000100/1/54001010", "54000100/x/54001010", "00990099", "x"):
        address = f"{address_of(row)}/bulkdata/{wrong}"
        assert get(radiologist, address).status_code == 404


def test_opening_a_study_is_journalled_once(
    radiologist: Client, as_role: Callable[[str], Client], keep: Keep
) -> None:
    row = keep(ct_image())
    for _ in range(3):
        get(radiologist, f"{address_of(row)}/metadata")
    get(as_role("resident"), f"{address_of(row)}/metadata")
    viewed = Event.objects.filter(kind="study-viewed").order_by("id")
    assert [event.peer for event in viewed] == ["radiologist", "resident"]


def test_what_the_viewer_fetches_beforehand_is_journalled_as_fetched_and_its_opening_as_viewed(
    radiologist: Client, keep: Keep
) -> None:
    row = keep(ct_image())
    metadata = f"{address_of(row).rpartition('/instances/')[0]}/metadata"
    ahead = {"x-background": "1"}
    for _ in range(3):
        fetched = get(radiologist, metadata, **ahead)
    kinds = Event.objects.filter(kind__startswith="study-", user__isnull=False).order_by("id")
    assert list(kinds.values_list("kind", "peer")) == [("study-prefetched", "radiologist")]
    known = {"if-none-match": fetched["ETag"]}
    assert get(radiologist, metadata, **known).status_code == 304
    get(radiologist, metadata, **ahead)
    assert list(kinds.values_list("kind", flat=True)) == ["study-prefetched", "study-viewed"]


def test_images_and_files_are_viewed_whoever_says_he_only_fetches_them(
    radiologist: Client, keep: Keep
) -> None:
    get(radiologist, address_of(keep(ct_image())), **{"x-background": "1"})
    assert Event.objects.filter(kind="study-viewed").count() == 1
    assert not Event.objects.filter(kind="study-prefetched").exists()


def test_unknown_objects_are_not_found(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image())
    other = keep(ct_image())
    mixed = address_of(row).replace(
        row.series.study.study_instance_uid, other.series.study.study_instance_uid
    )
    for address in (mixed, f"{mixed}/metadata", f"{mixed}/frames/1", "/dicom-web/studies/1.2"):
        answer = get(radiologist, address)
        assert answer.status_code == 404
        assert "error" in answer.json()


@pytest.mark.parametrize("frames", ["1", "3", "2,3", ",".join(["1"] * 20)])
def test_who_sees_only_some_studies_gets_the_same_of_them(
    radiologist: Client, keep: Keep, monkeypatch: pytest.MonkeyPatch, frames: str
) -> None:
    row = keep(three_frames())
    address = f"{address_of(row)}/frames/{frames}"
    metadata = f"{address_of(row).rpartition('/instances/')[0]}/metadata"
    before = parts_of(get(radiologist, address, ANY_FRAME)), get(radiologist, metadata).content
    # The queries that are compiled beforehand are for who sees everything.
    monkeypatch.setattr("apps.dicomweb.views.lookup.sees_all", lambda *_: False)
    after = parts_of(get(radiologist, address, ANY_FRAME)), get(radiologist, metadata).content
    assert after == before


def test_a_storage_that_is_away_costs_one_line_of_the_log(
    keep: Keep,
    radiologist: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(*_: Any) -> bytes:
        raise StorageAwayError("download failed (EndpointConnectionError)")

    row = keep(ct_image())
    monkeypatch.setattr(FolderStorage, "read", away)
    monkeypatch.setattr(FolderStorage, "read_into", away)
    answer = radiologist.get(f"{address_of(row)}/frames/1", headers={"accept": ANY_FRAME})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    (line,) = [one for one in caplog.records if one.name == "apps.dicomweb.exceptions"]
    assert "download failed (EndpointConnectionError)" in line.getMessage()
    assert line.exc_info is None
