"""Pictures of images, and the page that shows them on any PC."""

import io
import json

import pytest
from PIL import Image

from tests.dicom.objects import ct_image
from tests.exports.conftest import Ask, MakeStudy, made, opened, store

pytestmark = pytest.mark.django_db


def test_every_frame_becomes_a_picture(make_study: MakeStudy, ask: Ask) -> None:
    export = made(ask(make_study(2), kind="pictures"))
    assert (export.status, export.done_count) == ("done", 2)
    archive = opened(export)
    assert archive.namelist() == [
        "STUDY01/SERIES001/IMAGE00001.JPG",
        "STUDY01/SERIES001/IMAGE00002.JPG",
    ]
    picture = Image.open(io.BytesIO(archive.read(archive.namelist()[0])))
    assert (picture.format, picture.size) == ("JPEG", (6, 4))


def test_pictures_may_be_png(make_study: MakeStudy, ask: Ask) -> None:
    archive = opened(made(ask(make_study(1), kind="pictures", pictures="png")))
    picture = Image.open(io.BytesIO(archive.read("STUDY01/SERIES001/IMAGE00001.PNG")))
    assert picture.format == "PNG"


def test_a_film_is_made_of_what_moves(ask: Ask) -> None:
    pixels = {"Rows": 64, "Columns": 64, "PixelData": bytes(64 * 64 * 2 * 3)}
    image = ct_image(NumberOfFrames=3, FrameTime=40, **pixels)
    archive = opened(made(ask(store(image), kind="pictures")))
    name = "STUDY01/SERIES001/IMAGE00001"
    frames = [f"{name}_{number:04d}.JPG" for number in (1, 2, 3)]
    assert archive.namelist() == [*frames, f"{name}.MP4"]
    assert archive.read(f"{name}.MP4")[4:8] == b"ftyp"


def test_what_cannot_be_shown_is_named(ask: Ask) -> None:
    image = ct_image(Rows=None, Columns=None, PixelData=None)
    archive = opened(made(ask(store(image), kind="pictures")))
    assert archive.namelist() == ["README.TXT"]
    assert image.SOPInstanceUID in archive.read("README.TXT").decode()


def test_the_page_for_any_pc_names_pictures_that_are_there(make_study: MakeStudy, ask: Ask) -> None:
    hostile = "</script><script>alert(1)</script>"
    study = make_study(2, SeriesDescription=hostile)
    archive = opened(made(ask(study, viewer=True)))
    told = archive.read("VIEWER/DATA.JS").decode("ascii")
    (shown,) = json.loads(told.removeprefix("window.studies = ").removesuffix(";\n"))
    (series,) = shown["series"]
    assert (shown["patient"], series["description"]) == ("Müller Jörg", hostile)
    named = [f"{one['file']}{letter}.JPG" for one in series["images"] for letter in one["windows"]]
    assert len(named) == 6  # as stored, lung, bone
    assert set(named) <= set(archive.namelist())
    assert all(len(part) <= 12 for name in archive.namelist() for part in name.split("/"))


def test_the_page_asks_the_network_for_nothing(make_study: MakeStudy, ask: Ask) -> None:
    archive = opened(made(ask(make_study(1), viewer=True)))
    page = archive.read("INDEX.HTM").decode()
    assert "INDEX.HTM" in archive.read("README.TXT").decode()
    assert "http:" not in page
    assert "https:" not in page
    assert "default-src 'none'" in page
