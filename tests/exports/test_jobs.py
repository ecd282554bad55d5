"""Exports as rows: asked for, made, taken up after a crash, refused, deleted."""

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from apps.audit.leasing import ATTEMPTS, ClaimLost
from apps.audit.models import Event, Kind
from apps.audit.services import SYSTEM, Origin
from apps.exports import tasks
from apps.exports.models import Export
from apps.exports.services import (
    ExportRefused,
    NoRoom,
    ask_for_export,
    delete_export,
    expire_exports,
)
from apps.exports.services import making as making_module
from apps.exports.services.making import forget_strays, make_due
from apps.exports.services.working import claim_next, note_progress
from apps.studies.models import Instance, Study
from apps.studies.storage import stored_files
from tests.exports.conftest import Ask, MakeStudy, made

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study(2)


def over() -> datetime.datetime:
    return timezone.now() - datetime.timedelta(seconds=1)


def test_an_export_waits_is_made_and_is_kept_for_a_week(ask: Ask, study: Study) -> None:
    export = ask(study)
    assert (export.status, export.total_count) == ("queued", 2)
    made(export)
    assert export.status == "done"
    assert export.path.stat().st_size == export.size
    assert export.path.parent.stat().st_mode & 0o777 == 0o700
    days = export.expires_at - export.created_at
    assert days > datetime.timedelta(days=6.9)


def test_nobody_exports_without_a_name(study: Study, origin: Origin) -> None:
    with pytest.raises(ExportRefused):
        ask_for_export([study], kind="zip", options={}, origin=origin)


def test_there_is_a_most_of_studies(ask: Ask) -> None:
    with pytest.raises(ExportRefused, match="between 1 and 200"):
        ask()


def test_an_export_whose_worker_died_is_taken_up_again(ask: Ask, study: Study) -> None:
    export = ask(study)
    dead = claim_next()
    assert dead is not None
    assert claim_next() is None
    Export.objects.update(lease_until=over())
    made(export)
    assert (export.status, export.attempts) == ("done", 2)
    with pytest.raises(ClaimLost):
        note_progress(dead, done=1, total=2)


def test_one_that_kills_its_workers_is_given_up(ask: Ask, study: Study) -> None:
    export = ask(study)
    for _attempt in range(ATTEMPTS):
        assert claim_next()
        Export.objects.update(lease_until=over())
    made(export)
    assert export.status == "failed"
    assert "cut off" in export.error
    assert Event.objects.filter(kind=Kind.EXPORT_FAILED).count() == 1


def test_an_export_that_is_deleted_meanwhile_leaves_no_file(
    ask: Ask, study: Study, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(study)
    write = making_module._write

    def deleted_meanwhile(*arguments: Any) -> Any:
        delete_export(export, origin=origin)
        return write(*arguments)

    monkeypatch.setattr(making_module, "_write", deleted_meanwhile)
    made(export)
    assert export.status == "expired"
    assert list(Path(export.path.parent).glob("*.*")) == []


def test_a_file_that_is_missing_fails_the_export_with_a_reason(ask: Ask, study: Study) -> None:
    export = ask(study)
    stored_files().remove(Instance.objects.all()[1].file_name)
    made(export)
    assert (export.status, export.error) == ("failed", "A file could not be read or written.")
    assert list(Path(export.path.parent).glob("*.part")) == []


def test_a_mistake_of_ours_is_told_to_who_waits_and_to_the_log(
    ask: Ask, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(study)

    def mistaken(*_arguments: Any) -> None:
        raise IndexError

    monkeypatch.setattr(making_module, "_write", mistaken)
    with pytest.raises(IndexError):
        make_due()
    export.refresh_from_db()
    assert (export.status, export.error) == ("failed", "A file could not be read or written.")


def test_a_study_that_is_rejected_meanwhile_is_not_exported(ask: Ask, study: Study) -> None:
    export = ask(study)
    Study.objects.update(status="rejected")
    made(export)
    assert (export.status, export.error) == ("failed", "These studies have no images any more.")


def test_an_export_is_refused_where_the_disk_would_be_full(
    ask: Ask, study: Study, settings: Any
) -> None:
    settings.OPENPACS_DISK_LOW = 1 << 60
    with pytest.raises(NoRoom):
        ask(study)
    assert not Export.objects.exists()


def test_an_export_stops_when_the_disk_gets_full(ask: Ask, study: Study, settings: Any) -> None:
    export = ask(study)
    settings.OPENPACS_DISK_LOW = 1 << 60
    making_module.ROOM_BYTES = 100
    try:
        made(export)
    finally:
        making_module.ROOM_BYTES = 64 << 20
    assert export.status == "failed"
    assert "no room" in export.error
    assert list(Path(export.path.parent).glob("*.*")) == []


def test_an_old_export_loses_its_file(
    ask: Ask, study: Study, django_capture_on_commit_callbacks: Any
) -> None:
    export = made(ask(study))
    path = export.path
    Export.objects.update(expires_at=over())
    with django_capture_on_commit_callbacks(execute=True):
        assert expire_exports(origin=SYSTEM) == 1
        assert expire_exports(origin=SYSTEM) == 0
    export.refresh_from_db()
    assert (export.status, export.file_name, path.exists()) == ("expired", "", False)
    assert Event.objects.filter(kind=Kind.EXPORT_DELETED).count() == 1


def test_what_dead_workers_left_is_deleted_and_nothing_else(ask: Ask, study: Study) -> None:
    export = made(ask(study))
    folder = export.path.parent
    for name in ("9-1.part", "9-lost.zip"):
        (folder / name).write_bytes(b"x")
    forget_strays()
    assert len(list(folder.iterdir())) == 3
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    forget_strays()
    assert list(folder.iterdir()) == [export.path]


def test_the_tasks_make_and_delete(ask: Ask, study: Study) -> None:
    export = ask(study)
    tasks.make_waiting()
    Export.objects.update(expires_at=over())
    tasks.delete_old()
    export.refresh_from_db()
    assert export.status == "expired"
    assert make_due() == 0


def test_the_database_refuses_states_that_make_no_sense(ask: Ask, study: Study) -> None:
    export = ask(study)
    with pytest.raises(IntegrityError):
        Export.objects.filter(pk=export.pk).update(status="done")
