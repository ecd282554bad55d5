"""Habits in the viewer: they follow their person, and nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import Event, Kind
from apps.viewer.models import ViewerPreference
from tests.viewer.test_pages import facts

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]
LUNG = {"name": "Lung", "modality": "CT", "width": 1500, "center": -600}


def send(client: Client, changes: Any) -> Any:
    return client.post(reverse("viewer:preferences"), changes, "application/json")


def test_habits_come_back_in_any_browser_and_only_for_their_person(as_role: AsRole) -> None:
    keys = {"user-preferred-keys": '{"zoom": ["z"]}'}
    client = as_role("radiologist")
    assert send(client, {"stored": keys}).status_code == 200
    assert send(client, {"windows": [LUNG]}).status_code == 200
    kept = facts(client)["preferences"]
    assert (kept["stored"], kept["windows"]) == (keys, [LUNG])
    others = facts(as_role("resident"))["preferences"]
    assert (others["stored"], others["windows"]) == ({}, [])
    events = Event.objects.filter(kind=Kind.PREFERENCES_KEPT).order_by("id")
    assert [event.details for event in events] == [{"parts": ["stored"]}, {"parts": ["windows"]}]


def test_the_browser_forgets_what_the_server_does_not_have(as_role: AsRole) -> None:
    text = as_role("radiologist").get("/viewer/app-config.js").text
    assert "localStorage.removeItem(name)" in text
    assert "user-preferred-keys" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stored": {"token": "x"}}, "stored: “token” is not kept."),
        ({"windows": [{**LUNG, "width": 0}]}, "windows, 1, width: "),
        ({"windows": [LUNG] * 101}, "windows: "),
        ({"stored": {"ohif:theme": "x" * 20_000}}, "stored, ohif:theme: "),
        ({"stored": "x"}, "stored: "),
    ],
)
def test_strange_habits_are_refused(as_role: AsRole, changes: Any, said: str) -> None:
    response = send(as_role("radiologist"), changes)
    assert response.status_code == 400
    assert any(told.startswith(said) for told in response.json()["errors"])
    assert not ViewerPreference.objects.exists()


def test_too_much_is_refused_and_strangers_have_none(as_role: AsRole) -> None:
    large = {"stored": {"ohif:custom-theme-css": "x" * 70_000}}
    client = as_role("radiologist")
    assert send(client, large).status_code == 400
    assert client.get(reverse("viewer:preferences")).status_code == 405
    assert send(as_role("front-desk"), {}).status_code == 403
