"""Rows that nobody waits for: lines now, rows within seconds."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.later import record_later, write_down
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, broken_links, seal
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.JOURNAL_DIR = tmp_path / "journal"
    return tmp_path / "journal"


def note(origin: Origin, count: int = 1) -> None:
    record_later(Kind.STUDIES_QUERIED, origin=origin, details={"count": count})


def written_later() -> int:
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        return write_down()


def test_a_line_becomes_a_row_that_says_when_it_was(folder: Path) -> None:
    origin = Origin(protocol="web", peer="anna", address="10.0.0.7", user=make_user("radiologist"))
    before = timezone.now()
    note(origin, 3)
    assert not Event.objects.exists()
    assert written_later() == 1
    (row,) = Event.objects.all()
    assert (row.kind, row.user, row.peer, row.address) == (
        *(Kind.STUDIES_QUERIED, origin.user),
        *("anna", "10.0.0.7"),
    )
    assert row.details["count"] == 3
    assert row.details["at"] >= before.isoformat(timespec="milliseconds")
    assert list(folder.iterdir()) == []


def test_nothing_of_it_waits_for_delivery_and_the_chain_holds(origin: Origin) -> None:
    for count in range(3):
        note(origin, count)
    written_later()
    assert not Event.objects.filter(delivered_at=None).exists()
    assert seal() == 3
    assert broken_links() == []


def test_a_file_that_is_still_written_to_is_left_alone(origin: Origin) -> None:
    with time_machine.travel(time.time() // 2 * 2, tick=False):
        note(origin)
        assert write_down() == 0
    assert written_later() == 1


def test_rows_that_cannot_be_written_stay_in_their_file(
    origin: Origin, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(origin)

    def broken(*_arguments: object, **_options: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr("apps.audit.later.Event.objects.bulk_create", broken)
        with pytest.raises(OSError, match="gone"):
            written_later()
    assert len(list(folder.iterdir())) == 1
    assert written_later() == 1


def test_half_a_line_costs_no_other(
    origin: Origin, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    note(origin)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes() + b'{"kind": "stud')
    assert written_later() == 1
    assert "no row of the journal" in caplog.text


def test_who_was_deleted_meanwhile_is_still_named() -> None:
    user = make_user("radiologist")
    note(Origin(protocol="web", peer=user.username, user=user))
    User.objects.filter(pk=user.pk).delete()
    written_later()
    (row,) = Event.objects.all()
    assert (row.user, row.peer) == (None, user.username)


def test_who_searches_is_served_though_the_line_cannot_be_written(
    origin: Origin, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file where the folder should be")
    note(origin)
    assert "Not in the journal (studies-queried)" in caplog.text


def test_lines_of_one_process_are_one_file(origin: Origin, folder: Path) -> None:
    with time_machine.travel(time.time() // 2 * 2, tick=False):
        note(origin)
        note(origin)
    (path,) = folder.iterdir()
    assert path.stem.endswith(f"-{os.getpid()}")
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2


def test_a_file_that_was_taken_away_too_early_costs_no_line(origin: Origin, folder: Path) -> None:
    with time_machine.travel(time.time() // 2 * 2, tick=False):
        note(origin, 1)
        with time_machine.travel(timezone.now() + timedelta(seconds=10), tick=False):
            assert write_down() == 1
        note(origin, 2)
    assert written_later() == 1
    assert sorted(row.details["count"] for row in Event.objects.all()) == [1, 2]
