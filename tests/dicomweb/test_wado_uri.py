"""WADO-URI: one object, by the parameters of the query."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from apps.audit.services import SYSTEM
from apps.studies.models import Instance
from apps.studies.services import Target, reject
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import get
from tests.dicomweb.test_transcoded import compressed

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(keep: Keep) -> Instance:
    cells = np.linspace(0, 4000, 40 * 60, dtype="<u2").reshape(40, 60)
    return keep(
        ct_image(
            Rows=40,
            Columns=60,
            PixelData=cells.tobytes(),
            WindowCenter="2000",
            WindowWidth="4000",
        )
    )


def ask(client: Client, row: Instance, **words: Any) -> Any:
    series = row.series
    asked = {
        "requestType": "WADO",
        "studyUID": series.study.study_instance_uid,
        "seriesUID": series.series_instance_uid,
        "objectUID": row.sop_instance_uid,
        **words,
    }
    return client.get(f"/wado?{urlencode(asked)}", headers={"accept": "*/*"})


def picture(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.content
    return Image.open(io.BytesIO(answer.getvalue()))


def test_an_image_is_a_jpeg_unless_something_else_is_wanted(
    radiologist: Client, image: Instance
) -> None:
    assert picture(ask(radiologist, image)).format == "JPEG"
    assert picture(ask(radiologist, image, contentType="image/png")).format == "PNG"
    assert picture(ask(radiologist, image, contentType="image/jp2, image/png")).format == "PNG"
    rendered = get(radiologist, f"{address_of(image)}/rendered", "image/png").getvalue()
    assert ask(radiologist, image, contentType="image/png").getvalue() == rendered


def test_the_file_comes_in_the_transfer_syntax_asked_for(radiologist: Client, keep: Keep) -> None:
    row = keep(compressed(RLELossless), syntax=RLELossless)
    wanted = {"": ExplicitVRLittleEndian, RLELossless: RLELossless, "*": RLELossless}
    for asked, syntax in wanted.items():
        answer = ask(radiologist, row, contentType="application/dicom", transferSyntax=asked)
        assert answer["Content-Type"] == f"application/dicom; transfer-syntax={syntax}"
        found = dcmread(io.BytesIO(answer.getvalue()))
        assert found.file_meta.TransferSyntaxUID == syntax
    refused = ask(
        radiologist, row, contentType="application/dicom", transferSyntax=ImplicitVRLittleEndian
    )
    assert refused.status_code == 406


def test_size_region_and_window_are_followed(radiologist: Client, image: Instance) -> None:
    assert picture(ask(radiologist, image, rows=20)).size == (30, 20)
    assert picture(ask(radiologist, image, columns=120)).size == (120, 80)
    assert picture(ask(radiologist, image, rows=20, columns=20)).size == (20, 13)
    part = picture(ask(radiologist, image, region="0.5,0,1,0.5", contentType="image/png"))
    assert part.size == (30, 20)
    whole = picture(ask(radiologist, image, contentType="image/png"))
    assert np.abs(np.asarray(part, int) - np.asarray(whole, int)[:20, 30:]).max() <= 1
    bright = picture(
        ask(radiologist, image, windowCenter="-100", windowWidth="10", contentType="image/png")
    )
    assert np.asarray(bright).min() == 255


def test_frames_are_counted_from_one(radiologist: Client, keep: Keep) -> None:
    cells = np.repeat(np.array([0, 4000], "<u2"), 24)
    row = keep(
        ct_image(
            NumberOfFrames=2, PixelData=cells.tobytes(), WindowCenter="2000", WindowWidth="4000"
        )
    )
    # Without a frame it is all of them: the object itself.
    assert ask(radiologist, row)["Content-Type"].startswith("application/dicom")
    levels = [
        np.asarray(picture(ask(radiologist, row, frameNumber=number, contentType="image/png")))
        for number in (1, 2)
    ]
    assert (levels[0].max(), levels[1].min()) == (0, 255)
    assert ask(radiologist, row, frameNumber=3).status_code == 400


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"requestType": "WADO2"}, "requestType"),
        ({"studyUID": ""}, "studyUID"),
        ({"windowCenter": "40"}, "windowWidth"),
        ({"region": "0.5,0,0.2,1"}, "region"),
        ({"rows": "many"}, "rows"),
        ({"imageQuality": "0"}, "quality"),
        ({"anonymize": "yes"}, "anonymize"),
        ({"presentationUID": "1.2"}, "presentationSeriesUID"),
        (
            {"presentationUID": "1.2", "presentationSeriesUID": "1.2", "region": "0,0,1,1"},
            "region",
        ),
    ],
)
def test_what_is_wrong_is_named(
    radiologist: Client, image: Instance, words: dict[str, str], named: str
) -> None:
    answer = ask(radiologist, image, **words)
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_wrong_parents_strangers_and_rejected_objects_are_refused(
    radiologist: Client,
    client: Client,
    as_role: Callable[[str], Client],
    image: Instance,
    keep: Keep,
) -> None:
    other = keep(ct_image())
    assert ask(radiologist, image, seriesUID=other.series.series_instance_uid).status_code == 404
    wrong = other.series.study.study_instance_uid
    assert ask(radiologist, image, studyUID=wrong).status_code == 404
    assert ask(client, image).status_code == 401
    assert ask(as_role("referrer"), image).status_code == 404
    assert ask(as_role("front-desk"), image).status_code == 403
    assert ask(radiologist, image, contentType="video/mp4").status_code == 406
    study = image.series.study
    reject(Target(study), code="113001", reason="blurred", origin=SYSTEM)
    assert ask(radiologist, image).status_code == 410
