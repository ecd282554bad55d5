"""Sessions end when nobody is there, and after a working day in any case."""

import datetime
from collections.abc import Callable

import pytest
import time_machine
from django.test import Client

from apps.audit.models import Event, Kind

START = datetime.datetime(2026, 3, 2, 8, 0, tzinfo=datetime.UTC)
PAGE = "/account/password/"  # any page for somebody signed in


def is_signed_in(client: Client, **headers: str) -> bool:
    return client.get(PAGE, headers=headers).status_code == 200


@pytest.fixture
def client(as_role: Callable[[str], Client]) -> Client:
    with time_machine.travel(START, tick=False):
        client = as_role("front-desk")
        assert is_signed_in(client)
        return client


def later(**span: float) -> time_machine.travel:
    return time_machine.travel(START + datetime.timedelta(**span), tick=False)


def test_a_session_lives_as_long_as_somebody_works(client: Client) -> None:
    for minutes in range(10, 61, 10):
        with later(minutes=minutes):
            assert is_signed_in(client)


def test_a_session_ends_after_a_quarter_of_an_hour_of_nothing(client: Client) -> None:
    with later(minutes=16):
        assert not is_signed_in(client)


def test_that_a_session_ended_by_itself_is_noted(client: Client) -> None:
    with later(minutes=16):
        is_signed_in(client)
    assert Event.objects.filter(kind=Kind.USER_SIGNED_OUT).count() == 1


def test_a_fragment_that_reloads_by_itself_keeps_no_session_alive(client: Client) -> None:
    for minutes in (5, 10, 14):
        with later(minutes=minutes):
            assert is_signed_in(client, **{"X-Background": "1"})
    with later(minutes=16):
        assert not is_signed_in(client)


def test_a_session_ends_after_twelve_hours_of_work(client: Client) -> None:
    for minutes in range(10, 12 * 60, 10):
        with later(minutes=minutes):
            assert is_signed_in(client)
    with later(hours=12, minutes=1):
        assert not is_signed_in(client)


def test_a_fragment_after_the_end_sends_the_whole_page_to_the_login(client: Client) -> None:
    with later(minutes=16):
        response = client.get(PAGE, headers={"HX-Request": "true"})
    assert response.headers["HX-Redirect"] == "/account/login/"


def test_pages_of_somebody_signed_in_stay_in_no_cache(client: Client) -> None:
    with later(minutes=1):
        assert "no-store" in client.get(PAGE).headers["Cache-Control"]


def test_a_program_without_login_is_told_so_in_json(db: None) -> None:
    response = Client().get("/dicom-web/studies")
    assert response.status_code == 401
    assert response.json() == {"error": "Please sign in."}
