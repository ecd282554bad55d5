"""WADO-RS rendered: pictures, films, documents and reports, and what is refused."""

import io
from email import message_from_bytes
from typing import Any

import av
import numpy as np
import pytest
from django.test import Client
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    RTPlanStorage,
)

from apps.audit.models import Event
from apps.dicom.uids import new_uid
from apps.studies.services import rendering
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of

pytestmark = [pytest.mark.alike, pytest.mark.django_db]


def get(client: Client, address: str, accept: str = "*/*", **asked: str) -> Any:
    return client.get(address, asked, headers={"accept": accept})


def picture(answer: Any) -> NDArray[np.uint8]:
    assert answer.status_code == 200, answer.content
    return np.asarray(Image.open(io.BytesIO(answer.getvalue())))


def parts_of(answer: Any) -> list[tuple[str, bytes]]:
    assert answer.status_code == 200, answer.content
    head = f"Content-Type: {answer['Content-Type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message: Any = message_from_bytes(head + answer.getvalue())
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in message.get_payload()]


def frames(count: int = 3, **values: Any) -> Dataset:
    """Frames of 32 x 32 pixels, each of one brightness."""
    cells = np.repeat(np.arange(count, dtype=np.uint8) * 50, 32 * 32)
    given = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "Rows": 32, "Columns": 32}
    return ct_image(**given, NumberOfFrames=count, PixelData=cells.tobytes(), **values)


def without_pixels(sop_class: str, **values: Any) -> Dataset:
    gone = dict.fromkeys(
        ("Rows", "Columns", "PixelData", "SamplesPerPixel", "PhotometricInterpretation")
    )
    bits = dict.fromkeys(("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"))
    return ct_image(SOPClassUID=sop_class, **{**gone, **bits, **values})


def code(meaning: str, value: str = "1") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99TEST", meaning
    return [item]


def report() -> Dataset:
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = code("Finding")
    finding.TextValue = "No <script>alert(1)</script> & nothing else"
    made = without_pixels(BasicTextSRStorage, Modality="SR")
    made.ValueType, made.ConceptNameCodeSequence = "CONTAINER", code("Chest report")
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    made.ContentSequence = [finding]
    return made


def test_an_image_comes_as_jpeg_unless_something_else_is_preferred(
    radiologist: Client, keep: Keep
) -> None:
    address = f"{address_of(keep(ct_image()))}/rendered"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for accept, kind in (
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        (browser, "image/jpeg"),
        ("image/png", "image/png"),
        ("image/jpeg;q=0.5, image/png", "image/png"),
        ("image/gif", "image/gif"),
    ):
        answer = get(radiologist, address, accept)
        assert (answer.status_code, answer["Content-Type"]) == (200, kind), accept
        assert picture(answer).shape[:2] == (4, 6)
    first = get(radiologist, f"{address}?accept=image/gif", "image/png")
    assert first["Content-Type"] == "image/gif"


@pytest.mark.parametrize("accept", ["application/pdf", "text/html", "video/mp4", "image/png;q=0"])
def test_what_an_image_is_not_is_406_and_says_what_it_is(
    radiologist: Client, keep: Keep, accept: str
) -> None:
    answer = get(radiologist, f"{address_of(keep(ct_image()))}/rendered", accept)
    assert answer.status_code == 406
    assert "image/jpeg, image/png, image/gif" in answer.json()["error"]


def test_pixels_compressed_or_not_give_the_same_picture(radiologist: Client, keep: Keep) -> None:
    cells = np.arange(4096, dtype="<u2").reshape(64, 64)
    size = {"Rows": 64, "Columns": 64, "PixelData": cells.tobytes()}
    plain = ct_image(**size)
    expected = picture(get(radiologist, f"{address_of(keep(plain))}/rendered", "image/png"))
    for syntax in (RLELossless, JPEG2000Lossless):
        image = ct_image(**size)
        image.file_meta = FileMetaDataset()
        image.compress(syntax, cells, generate_instance_uid=False)
        row = keep(image, syntax=syntax)
        found = picture(get(radiologist, f"{address_of(row)}/rendered", "image/png"))
        assert np.array_equal(found, expected)


def test_without_a_frame_number_it_is_the_first(radiologist: Client, keep: Keep) -> None:
    address = address_of(keep(frames()))
    first = picture(get(radiologist, f"{address}/rendered", "image/png"))
    assert (first == 0).all()
    third = picture(get(radiologist, f"{address}/frames/3/rendered", "image/png"))
    assert (third == 100).all()


def test_several_frames_come_as_multipart_or_as_a_film(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(frames()))}/frames/3,1/rendered"
    wanted = 'multipart/related; type="image/png"'
    parts = parts_of(get(radiologist, address, wanted))
    assert [kind for kind, _ in parts] == ["image/png", "image/png"]
    assert [np.asarray(Image.open(io.BytesIO(data))).max() for _, data in parts] == [100, 0]
    assert len(parts_of(get(radiologist, address))) == 2
    assert get(radiologist, address, "image/png").status_code == 406
    film = Image.open(io.BytesIO(get(radiologist, address, "image/gif").getvalue()))
    assert film.n_frames == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("numbers", "status"), [("4", 404), ("0", 400), ("1,x", 400), ("-1", 400), ("²", 400)]
)
def test_frames_that_are_not_there_are_refused(
    radiologist: Client, keep: Keep, numbers: str, status: int
) -> None:
    answer = get(radiologist, f"{address_of(keep(frames()))}/frames/{numbers}/rendered")
    assert answer.status_code == status


def test_many_frames_are_a_film_for_who_asks(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(frames(CineRate=25)))}/rendered"
    moving = Image.open(io.BytesIO(get(radiologist, address, "image/gif").getvalue()))
    assert moving.n_frames == 3  # type: ignore[attr-defined]
    assert moving.info["duration"] == 40
    film = get(radiologist, address, "video/mp4")
    assert film["Content-Type"] == "video/mp4"
    assert film.getvalue()[4:8] == b"ftyp"


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_many_compressed_frames_are_the_same_film(
    radiologist: Client, keep: Keep, syntax: str
) -> None:
    plain = frames(CineRate=25)
    small = frames(CineRate=25)
    small.file_meta = FileMetaDataset()
    small.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    small.set_original_encoding(False, True)
    small.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    rows = keep(plain), keep(small, syntax=syntax)
    films = [
        get(radiologist, f"{address_of(row)}/rendered", "image/gif").getvalue() for row in rows
    ]
    assert films[0] == films[1]
    assert get(radiologist, f"{address_of(rows[1])}/rendered", "video/mp4").status_code == 200


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"window": "40"}, "window"),
        ({"window": "40,0,linear"}, "window"),
        ({"window": "40,0.5,linear"}, "window"),
        ({"window": "nan,400,linear"}, "window"),
        ({"window": "40,400,cubic"}, "window"),
        ({"viewport": "0,100"}, "viewport"),
        ({"viewport": "100"}, "viewport"),
        ({"viewport": "100,99999"}, "viewport"),
        ({"viewport": "10,10,0,0,0,0"}, "viewport"),
        ({"quality": "101"}, "quality"),
        ({"quality": "best"}, "quality"),
        ({"annotation": "doctor"}, "annotation"),
        ({"iccprofile": "cmyk"}, "iccprofile"),
        ({"overlays": "some"}, "overlays"),
    ],
)
def test_parameters_that_make_no_sense_are_named(
    radiologist: Client, keep: Keep, asked: dict[str, str], named: str
) -> None:
    answer = get(radiologist, f"{address_of(keep(ct_image()))}/rendered", **asked)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(named)


def test_window_viewport_and_quality_are_done_as_asked(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(ct_image()))}/rendered"
    levels = picture(get(radiologist, address, "image/png", window="10,10,linear-exact"))
    expected = np.clip((np.arange(24) - 10) / 10 + 0.5, 0, 1) * 255
    assert np.abs(levels.ravel() - expected).max() <= 1
    assert picture(get(radiologist, address, viewport="60,60")).shape == (40, 60)
    assert picture(get(radiologist, address, "image/png", viewport="3,2,3,2,,")).shape == (2, 3)
    for region in ("7,0,,", "0,5,,", "-9,0,3,3"):
        outside = get(radiologist, address, viewport=f"9,9,{region}")
        assert outside.status_code == 400
        assert "outside" in outside.json()["error"]


def test_a_series_and_a_study_show_their_middle_image(radiologist: Client, keep: Keep) -> None:
    first = ct_image(InstanceNumber=1)
    same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    rows = [keep(first)]
    for number in (2, 3):
        cells = np.full(24, number, "<u2")
        rows.append(keep(ct_image(InstanceNumber=number, PixelData=cells.tobytes(), **same)))
    series = address_of(rows[0]).rsplit("/instances", maxsplit=1)[0]
    study = series.rsplit("/series", maxsplit=1)[0]
    window = "2,2,linear-exact"
    for level in (series, study):
        found = picture(get(radiologist, f"{level}/rendered", "image/png", window=window))
        assert (found == 128).all()
    parts = parts_of(get(radiologist, f"{study}/rendered", "multipart/related; type=image/jpeg"))
    assert [kind for kind, _ in parts] == ["image/jpeg"] * 3


def test_a_multipart_of_many_leaves_out_what_has_no_such_form(
    radiologist: Client, keep: Keep
) -> None:
    image = ct_image()
    row = keep(image)
    sheet = report()
    sheet.StudyInstanceUID, sheet.SeriesInstanceUID = image.StudyInstanceUID, new_uid()
    keep(sheet)
    study = address_of(row).rsplit("/series", maxsplit=1)[0]
    for kind in ("image/png", "text/html", "application/pdf"):
        accept = f'multipart/related; type="{kind}"'
        (part,) = parts_of(get(radiologist, f"{study}/rendered", accept))
        assert part[0].startswith(kind)
    nothing = get(radiologist, f"{study}/rendered", 'multipart/related; type="video/mpeg"')
    assert nothing.status_code == 406


def test_a_report_is_a_page_that_can_do_nothing(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(report()))}/rendered"
    page = get(radiologist, address, "text/html,*/*;q=0.8")
    assert page["Content-Type"] == "text/html; charset=utf-8"
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "unsafe" not in policy
    text = page.getvalue().decode()
    assert "<h1" in text
    assert "Jörg" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "no-cache" in page["Cache-Control"]
    words = get(radiologist, address, "text/plain").getvalue().decode()
    assert "Finding: No <script>" in words


def test_a_document_comes_as_it_is(radiologist: Client, keep: Keep) -> None:
    data = b"%PDF-1.7 " + bytes(40_001)
    document = without_pixels(EncapsulatedPDFStorage, Modality="DOC")
    document.EncapsulatedDocument = data + b"\0"
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    answer = get(radiologist, f"{address_of(keep(document))}/rendered")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.getvalue().startswith(data)


def test_a_stored_video_passes_through_and_can_be_wound(radiologist: Client, keep: Keep) -> None:
    _, film = rendering.render_film(
        keep(frames()),
        frames=[1, 2, 3],
        options=rendering.RenderOptions("video/mp4"),
    )
    video = frames()
    video.PixelData = encapsulate([film[:500], film[500:]], fragments_per_frame=1, has_bot=False)
    video["PixelData"].VR, video["PixelData"].is_undefined_length = "OB", True
    address = f"{address_of(keep(video, syntax=MPEG4HP41))}/rendered"
    answer = get(radiologist, address)
    assert answer["Content-Type"] == "video/mp4"
    assert answer.getvalue().rstrip(b"\0") == film.rstrip(b"\0")
    part = radiologist.get(address, headers={"range": "bytes=490-509"})
    assert (part.status_code, part.getvalue()) == (206, film[490:510])
    small = get(radiologist, address.replace("rendered", "thumbnail"))
    assert picture(small).shape[:2] == (256, 256)


def test_a_video_in_another_container_is_repacked(radiologist: Client, keep: Keep) -> None:
    _, film = rendering.render_film(
        keep(frames(12)),
        frames=range(1, 13),
        options=rendering.RenderOptions("video/mp4"),
    )
    target = io.BytesIO()
    with av.open(io.BytesIO(film), "r") as source, av.open(target, "w", format="mpegts") as other:
        stream = other.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                other.mux(packet)
    video = frames()
    video.PixelData = encapsulate([target.getvalue()], has_bot=False)
    video["PixelData"].VR, video["PixelData"].is_undefined_length = "OB", True
    answer = get(radiologist, f"{address_of(keep(video, syntax=MPEG4HP41))}/rendered")
    assert answer["Content-Type"] == "video/mp4"
    with av.open(io.BytesIO(answer.getvalue()), "r") as made:
        assert len(list(made.decode(video=0))) == 12


def test_what_has_no_rendered_form_says_so(radiologist: Client, keep: Keep) -> None:
    plan = get(radiologist, f"{address_of(keep(without_pixels(RTPlanStorage)))}/rendered")
    assert plan.status_code == 406
    assert "no rendered form" in plan.json()["error"]


def test_damaged_pixels_are_422_with_the_reason(radiologist: Client, keep: Keep) -> None:
    image = ct_image(Rows=400)
    answer = get(radiologist, f"{address_of(keep(image))}/rendered")
    assert answer.status_code == 422
    assert "fewer pixels" in answer.json()["error"]


def test_who_has_the_picture_is_not_sent_it_again(radiologist: Client, keep: Keep) -> None:
    address = f"{address_of(keep(ct_image()))}/rendered"
    first = get(radiologist, address)
    assert first["Cache-Control"].startswith("private, max-age")
    again = radiologist.get(address, headers={"if-none-match": first["ETag"]})
    assert again.status_code == 304
    other = get(radiologist, address, quality="50")
    assert other["ETag"] != first["ETag"]
    annotated = get(radiologist, address, annotation="patient")
    assert annotated["Cache-Control"] == "private, no-cache"


def test_looking_is_journalled_and_strangers_see_nothing(
    radiologist: Client, keep: Keep, client: Client
) -> None:
    row = keep(ct_image())
    address = f"{address_of(row)}/rendered"
    get(radiologist, address)
    assert Event.objects.filter(kind="study-viewed").count() == 1
    assert client.get(address).status_code == 401
    unknown = address.replace(row.sop_instance_uid, "1.2.3")
    assert get(radiologist, unknown).status_code == 404
