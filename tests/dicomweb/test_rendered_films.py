"""Films in answers: made once, few at a time, and no long ones."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.studies.models import Instance
from apps.studies.services import answering_films, rendering
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_rendered import frames, get, parts_of

pytestmark = [pytest.mark.alike, pytest.mark.django_db]


@pytest.fixture
def image(keep: Keep) -> Instance:
    return keep(frames())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Media types of the films that were made."""
    kinds: list[str] = []
    real = rendering.render_film

    def counted(*arguments: Any, **options: Any) -> tuple[str, bytes]:
        kinds.append(options["options"].media_type)
        return real(*arguments, **options)

    monkeypatch.setattr(answering_films, "render_film", counted)
    return kinds


@pytest.fixture
def places(settings: Any) -> Iterator[list[int]]:
    """All places are taken, by other processes as it were."""
    folder = Path(settings.OPENPACS_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    for number in range(answering_films.AT_ONCE):
        handle = os.open(folder / f"film-{number}", os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        taken.append(handle)
    yield taken
    for handle in taken:
        os.close(handle)


def test_who_asks_again_gets_the_film_that_was_made(
    radiologist: Client, image: Instance, made: list[str]
) -> None:
    address = f"{address_of(image)}/rendered"
    first, again = (get(radiologist, address, "video/mp4").getvalue() for _ in range(2))
    assert first == again
    assert made == ["video/mp4"]
    get(radiologist, address, "image/gif")
    get(radiologist, address, "video/mp4", window="100,50,linear")
    get(radiologist, f"{address_of(image)}/frames/1,2/rendered", "video/mp4")
    assert made == ["video/mp4", "image/gif", "video/mp4", "video/mp4"]


@pytest.mark.parametrize("limit", ["MOST_FRAMES", "MOST_PIXELS", "MOST_BYTES"])
def test_a_long_film_is_refused_and_the_way_is_named(
    radiologist: Client,
    image: Instance,
    made: list[str],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    monkeypatch.setattr(answering_films, limit, 2)
    answer = get(radiologist, f"{address_of(image)}/rendered", "video/mp4")
    assert answer.status_code == 413
    assert "3 frames" in answer.json()["error"]
    assert "export" in answer.json()["error"]
    assert made == []


def test_a_long_film_is_left_out_among_others(
    radiologist: Client, image: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering_films, "MOST_FRAMES", 2)
    series = address_of(image).partition("/instances")[0]
    answer = get(radiologist, f"{series}/rendered", 'multipart/related; type="image/png"')
    assert [kind for kind, _ in parts_of(answer)] == ["image/png"]
    answer = get(radiologist, f"{series}/rendered", 'multipart/related; type="video/mp4"')
    assert answer.status_code == 406


def test_where_too_many_films_are_made_one_is_told_to_come_again(
    radiologist: Client, image: Instance, places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering_films, "WAITING_SECONDS", 0)
    address = f"{address_of(image)}/rendered"
    answer = get(radiologist, address, "video/mp4")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "at the moment" in answer.json()["error"]
    assert get(radiologist, address, "image/png").status_code == 200
    os.close(places.pop())
    assert get(radiologist, address, "video/mp4").status_code == 200
    assert get(radiologist, address, "video/mp4").status_code == 200


def test_what_was_made_needs_no_place(
    radiologist: Client, image: Instance, request: pytest.FixtureRequest
) -> None:
    address = f"{address_of(image)}/rendered"
    get(radiologist, address, "video/mp4")
    request.getfixturevalue("places")
    assert get(radiologist, address, "video/mp4").status_code == 200
