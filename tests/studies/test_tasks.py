"""Ingest and settling in the background."""

import os
import time
from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies import tasks
from apps.studies.models import Instance, Series, Study
from apps.studies.services import Outcome, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.threads import at_once

THREADS = 20


@pytest.mark.django_db
def test_a_nudge_indexes_the_files_it_names(spool: Spool) -> None:
    path = spool.write([part10(ct_image())])
    tasks.ingest([path.name, "gone.dcm", "../../etc/passwd"])
    assert Instance.objects.count() == 1
    assert not spool.waiting()


@pytest.mark.django_db
def test_the_sweep_finds_what_nobody_was_nudged_for(spool: Spool) -> None:
    old, new = (spool.write([part10(ct_image())]) for _ in range(2))
    past = time.time() - 60
    os.utime(old, (past, past))
    tasks.ingest_spool()
    assert spool.waiting() == [new]
    assert Instance.objects.count() == 1


@pytest.mark.django_db
def test_quiet_studies_settle(spool: Spool, settings: Any) -> None:
    tasks.ingest([spool.write([part10(ct_image())]).name])
    tasks.settle_quiet_studies()
    assert Study.objects.get().status == Study.Status.RECEIVING
    settings.OPENPACS_STUDY_QUIET_SECONDS = 0
    tasks.settle_quiet_studies()
    assert Study.objects.get().status == Study.Status.AVAILABLE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_paths", [True, False])
def test_twenty_workers_with_the_same_images_make_one_study(
    spool: Spool, origin: Origin, same_paths: bool
) -> None:
    first = ct_image()
    images = [first] + [
        ct_image(
            StudyInstanceUID=first.StudyInstanceUID,
            SeriesInstanceUID=first.SeriesInstanceUID,
            InstanceNumber=number,
        )
        for number in range(2, 5)
    ]
    contents = [part10(image) for image in images]
    shared = [spool.write([content]) for content in contents]
    given = [
        shared if same_paths else [spool.write([content]) for content in contents]
        for _worker in range(THREADS)
    ]
    stored = at_once(lambda paths: store_instances(paths, origin=origin), given)
    outcomes = [one.outcome for several in stored for one in several]
    tasks.ingest([path.name for path in spool.waiting()])
    study = Study.objects.get()
    assert (study.series_count, study.instance_count) == (1, 4)
    assert study.size == sum(len(content) for content in contents)
    assert Series.objects.get().instance_count == 4
    assert Instance.objects.count() == 4
    assert len(outcomes) == THREADS * 4
    assert set(outcomes) <= {Outcome.STORED, Outcome.DUPLICATE}
    assert not spool.waiting()
    assert not spool.failed()
    assert list(Event.objects.values_list("kind", flat=True)) == ["study-received"]


@pytest.mark.django_db
def test_a_storage_that_is_away_is_told_of_each_file_once(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    images = [ct_image(SOPInstanceUID=f"2.25.9{number}") for number in range(6)]
    names = [spool.write([part10(image)]).name for image in images]
    lane = tasks.Lane()
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "store_instances", away)
        for _ in range(9):
            with pytest.raises(OSError, match="away"):
                lane.ingest(spool.incoming / name for name in names)
        assert len(lane._waiting) <= len(names)
    lane.ingest(spool.incoming / name for name in names)
    assert Instance.objects.count() == 6
    assert not lane._waiting


def away(paths: Any, *, origin: Origin) -> None:
    raise OSError("away")
