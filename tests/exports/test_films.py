"""Films of series asked for in the viewer: who may, what they show, what is refused."""

import io
from collections.abc import Callable
from typing import Any

import av
import pytest
from django.test import Client
from django.urls import reverse
from pydicom.dataset import Dataset

from apps.audit.models import Event, Kind
from apps.exports.models import Export
from apps.exports.services.making import make_due
from apps.studies.models import Study
from tests.dicom.objects import ct_image
from tests.exports.conftest import store

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]


def slices(count: int) -> list[Dataset]:
    """Images of one series, each a little brighter than the one before."""
    first = ct_image()
    same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    size = {"Rows": 64, "Columns": 48, "WindowCenter": 500, "WindowWidth": 1000}

    def one(number: int) -> Dataset:
        level = (100 * number).to_bytes(2, "little")
        return ct_image(**same, **size, InstanceNumber=number, PixelData=level * (64 * 48))

    return [one(number) for number in range(1, count + 1)]


def ask(client: Client, image: Dataset, **fields: Any) -> Any:
    given = {"series": image.SeriesInstanceUID, "first": 1, "last": 999, "step": 1, "speed": 5}
    return client.post(reverse("exports:film"), {**given, **fields})


def frames_of(content: bytes) -> tuple[list[float], float]:
    """The mean level of each frame, and how many there are a second."""
    with av.open(io.BytesIO(content), "r") as film:
        rate = film.streams.video[0].average_rate
        levels = [float(one.to_ndarray(format="gray").mean()) for one in film.decode(video=0)]
        return levels, float(rate or 0)


def taken(client: Client, answer: Any) -> bytes:
    """The file after the worker was at it, as the viewer takes it."""
    assert answer.status_code == 202
    waiting = client.get(answer.json()["state"]).json()
    assert (waiting["over"], "file" in waiting) == (False, False)
    make_due()
    state = client.get(answer.json()["state"]).json()
    response: Any = client.get(state["file"])
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Disposition"].startswith('attachment; filename="film-')
    return b"".join(response.streaming_content)


def test_the_slices_of_a_series_become_a_film(as_role: AsRole) -> None:
    images = slices(6)
    store(*images)
    client = as_role("radiologist")
    levels, rate = frames_of(taken(client, ask(client, images[0], first=2)))
    assert (len(levels), rate) == (5, 5.0)
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 80
    export = Export.objects.get()
    assert (export.status, export.done_count, export.total_count) == ("done", 5, 5)
    kinds = Event.objects.filter(kind__in=[Kind.STUDY_EXPORTED, Kind.EXPORT_DOWNLOADED])
    assert {(one.kind, one.details["kind"]) for one in kinds} == {
        ("study-exported", "film"),
        ("export-downloaded", "film"),
    }


def test_a_film_of_several_pieces_runs_through(
    as_role: AsRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.exports.services.filming.AT_ONCE", 2)
    images = slices(5)
    store(*images)
    client = as_role("radiologist")
    levels, rate = frames_of(taken(client, ask(client, images[0])))
    assert (len(levels), rate) == (5, 5.0)
    assert levels == sorted(levels)


def test_the_levels_are_those_of_the_viewer(as_role: AsRole) -> None:
    images = slices(3)
    store(*images)
    client = as_role("radiologist")
    dark, _rate = frames_of(taken(client, ask(client, images[0], center=5000, width=100)))
    assert max(dark) < 20


def test_frames_of_one_object_are_a_film_of_their_own(as_role: AsRole) -> None:
    pixels = {"Rows": 64, "Columns": 64, "PixelData": bytes(64 * 64 * 2 * 4)}
    image = ct_image(NumberOfFrames=4, **pixels)
    same = {name: image[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    store(image, ct_image(**same, InstanceNumber=2))
    client = as_role("radiologist")
    made = taken(client, ask(client, image, instance=image.SOPInstanceUID, step=2))
    assert len(frames_of(made)[0]) == 2


@pytest.mark.parametrize("role", ["referrer", "technologist", "resident", "front-desk", "auditor"])
def test_who_takes_no_studies_away_gets_no_film(as_role: AsRole, role: str) -> None:
    (image,) = slices(1)
    store(image)
    assert ask(as_role(role), image).status_code == 403
    assert not Export.objects.exists()


def test_a_film_of_somebody_else_is_not_found(as_role: AsRole) -> None:
    (image,) = slices(1)
    store(image)
    address = ask(as_role("pacs-administrator"), image).json()["state"]
    assert as_role("radiologist").get(address).status_code == 404
    assert as_role("referrer").get(address).status_code == 403


def test_what_is_asked_for_must_make_sense(as_role: AsRole) -> None:
    (image,) = slices(1)
    store(image)
    client = as_role("radiologist")
    for fields in ({"first": 0}, {"speed": 1000}, {"step": "x"}, {"width": -4}, {"series": ""}):
        assert ask(client, image, **fields).status_code == 400
    assert ask(client, image, series="2.25.404").status_code == 404


def test_what_cannot_be_filmed_says_why(as_role: AsRole) -> None:
    client = as_role("radiologist")
    (image,) = slices(1)
    store(image)
    blank = ct_image(Rows=None, Columns=None, PixelData=None)
    store(blank)
    for asked in (ask(client, image, first=40), ask(client, blank)):
        make_due()
        state = client.get(asked.json()["state"]).json()
        assert (state["over"], "no such images" in state["said"]) == (True, True)
    many = ct_image(NumberOfFrames=1001, PixelData=bytes(1001 * 48))
    store(many)
    asked = ask(client, many, last=2000)
    make_due()
    assert "at most" in client.get(asked.json()["state"]).json()["said"]


def test_films_are_not_among_what_the_export_page_offers(as_role: AsRole) -> None:
    (image,) = slices(1)
    store(image)
    key = Study.objects.get().pk
    client = as_role("radiologist")
    page = client.post(reverse("exports:new"), {"study": key}).content.decode()
    assert 'value="pictures"' in page
    assert 'value="film"' not in page
    assert client.post(reverse("exports:new"), {"study": key, "kind": "film"}).status_code == 422
