"""Two marks before a disk is full: images wait outside, nothing breaks."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from apps.studies import room
from apps.studies.room import Gauge, Room
from tests.factories import make_user

Fill = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[Fill]:
    """Sets how many bytes are free on every file system."""
    settings.OPENPACS_DISK_LOW, settings.OPENPACS_DISK_HARD = 2000, 1000
    settings.SPOOL_DIR = tmp_path / "not" / "there" / "yet"

    def leave(count: int) -> None:
        found = SimpleNamespace(f_bavail=count, f_frsize=1)
        monkeypatch.setattr(os, "statvfs", lambda _path: found)

    yield leave
    room.forget_room()


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2000, Room.ENOUGH), (1999, Room.LOW), (1000, Room.LOW), (999, Room.HARD), (0, Room.HARD)],
)
def test_the_marks(count: int, expected: Room, free: Fill) -> None:
    free(count)
    assert Gauge().room() is expected


def test_the_fullest_file_system_counts(
    free: Fill, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir(exist_ok=True)

    def look(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=100 if folder == tmp_path / "spool" else 9999, f_frsize=1)

    monkeypatch.setattr(os, "statvfs", look)
    assert Gauge().room() is Room.HARD


def test_room_is_found_again_within_seconds(free: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: now))
    gauge = Gauge()
    free(0)
    assert gauge.room() is Room.HARD
    free(9999)
    assert gauge.room() is Room.HARD  # looked at a moment ago
    now += 1.0
    assert gauge.room() is Room.ENOUGH


def test_each_change_is_logged_once(
    free: Fill, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="apps")
    gauge = Gauge()
    free(0)
    for _ in range(3):
        gauge.forget()
        gauge.room()
    assert [record.getMessage() for record in caplog.records] == [
        "room for images: hard, was enough"
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("count", "health", "banner"),
    [(5000, "ok", ""), (1500, "nearly full", "nearly full"), (500, "full", "The disk is full")],
)
def test_whoever_works_here_is_told(
    count: int, health: str, banner: str, free: Fill, client: Client
) -> None:
    free(count)
    room.forget_room()
    assert health in client.get("/health/").content.decode()
    assert "The disk" not in client.get("/", follow=True).content.decode()
    client.force_login(
        make_user("technologist"), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = client.get("/", follow=True).content.decode()
    assert banner in page
    assert ("The disk" in page) is bool(banner)


@pytest.mark.django_db
def test_a_referrer_is_not_told(free: Fill, client: Client) -> None:
    free(500)
    room.forget_room()
    client.force_login(make_user("referrer"), backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/", follow=True)
    assert page.status_code == 200
    assert "The disk" not in page.content.decode()


def test_a_real_file_system_is_read(settings: Any) -> None:
    settings.OPENPACS_DISK_HARD, settings.OPENPACS_DISK_LOW = 0, 1
    assert Gauge().room() is Room.ENOUGH
    settings.OPENPACS_DISK_LOW = 1 << 62
    assert Gauge().room() is Room.LOW
