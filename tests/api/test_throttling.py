"""One caller may ask so much in a minute."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from django.utils import timezone

from apps.accounts.models import User
from apps.api.throttling import OneCaller
from apps.studies.spool import Spool
from tests.api.conftest import Script, script, token_of
from tests.api.world import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _three_in_a_minute(settings: Any) -> None:
    settings.OPENPACS_API_REQUESTS = 3
    cache.clear()


def test_who_asks_too_often_is_told_when_to_come_again(script_of: Script) -> None:
    client = script_of("radiologist")
    asked = ("/api/v1/system", "/api/v1/studies", "/api/v1/labels")
    assert [client.get(path).status_code for path in asked] == [200, 200, 200]
    refused = client.get("/api/v1/system")
    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 429
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 60
    with time_machine.travel(timezone.now() + timedelta(seconds=wait)):
        assert client.get("/api/v1/system").status_code == 200


def test_every_token_has_requests_of_its_own(user_of: Any) -> None:
    user: User = user_of("radiologist")
    first, second = script(token_of(user)), script(token_of(user))
    for _ in range(3):
        first.get("/api/v1/system")
    assert first.get("/api/v1/system").status_code == 429
    assert second.get("/api/v1/system").status_code == 200


def test_a_person_without_a_token_is_counted_too(as_role: Any) -> None:
    browser = as_role("radiologist")
    told = [browser.get("/api/v1/system").status_code for _ in range(4)]
    assert told == [200, 200, 200, 429]


def test_files_and_dicomweb_do_not_count(script_of: Script, spool: Spool, origin: Any) -> None:
    keys = make_world(spool, origin)
    client = script_of("radiologist")
    for _ in range(4):
        assert client.get(f"/api/v1/instances/{keys['instance']}/file").status_code == 200
        assert client.get("/dicom-web/studies").status_code == 200
    assert client.get("/api/v1/system").status_code == 200


def test_everybody_is_served_where_nothing_can_be_counted(
    script_of: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OneCaller, "cache", RedisCache("redis://127.0.0.1:1", {}))
    client = script_of("radiologist")
    assert {client.get("/api/v1/studies").status_code for _ in range(5)} == {200}
    assert "Requests are not counted" in caplog.text


def test_without_a_limit_nobody_is_counted(script_of: Script, settings: Any) -> None:
    settings.OPENPACS_API_REQUESTS = 0
    client = script_of("radiologist")
    assert {client.get("/api/v1/system").status_code for _ in range(8)} == {200}
