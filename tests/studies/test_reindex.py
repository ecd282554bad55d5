"""The index rebuilt from the files, and the files held against the index."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.studies.models import Instance, Series, Study
from apps.studies.services import rebuild_index, store_instances, verify_files
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(spool: Spool, origin: Origin) -> list[str]:
    """Names of six stored files: two studies, three series."""
    images = [
        ct_image(
            SOPInstanceUID=f"2.25.9{number}",
            SeriesInstanceUID=f"2.25.8{number // 2}",
            StudyInstanceUID=f"2.25.7{number // 4}",
        )
        for number in range(6)
    ]
    store_instances([spool.write([part10(image)]) for image in images], origin=origin)
    return sorted(Instance.objects.values_list("file_name", flat=True))


def index() -> list[Any]:
    """All rows of the index, without the keys that the database gave them."""
    return [
        [
            {key: value for key, value in row.items() if key not in {"id", "revision", *parents}}
            for row in model.objects.order_by(uid).values()
        ]
        for model, uid, parents in (
            (Study, "study_instance_uid", {"last_instance_at", "received_at", "match_reason"}),
            (Series, "series_instance_uid", {"study_id"}),
            (Instance, "sop_instance_uid", {"series_id"}),
        )
    ]


def path_of(name: str) -> Path:
    files: Any = stored_files()
    return Path(files.path(name))


def test_a_lost_index_comes_back_as_it_was(stored: list[str], origin: Origin) -> None:
    Study.objects.update(status=Study.Status.AVAILABLE)
    before, received = index(), Study.objects.earliest("pk").received_at
    Study.objects.all().delete()
    assert not Instance.objects.exists()

    result = rebuild_index(origin=origin)

    assert (result.added, result.known) == (6, 0)
    assert not result.unreadable
    assert index() == before
    assert abs(Study.objects.earliest("pk").received_at - received).total_seconds() < 60
    assert Event.objects.filter(kind="index-rebuilt").get().details["added"] == 6


def test_studies_that_come_back_are_announced_to_nobody(stored: list[str], origin: Origin) -> None:
    Study.objects.all().delete()
    last = Event.objects.latest("pk").pk
    rebuild_index(origin=origin)
    assert list(Event.objects.filter(pk__gt=last).values_list("kind", flat=True)) == [
        "index-rebuilt"
    ]
    assert set(Study.objects.values_list("status", flat=True)) == {"available"}


def test_only_what_is_missing_is_indexed(stored: list[str], origin: Origin) -> None:
    Instance.objects.filter(file_name=stored[2]).delete()
    result = rebuild_index(origin=origin)
    assert (result.added, result.known) == (1, 5)
    again = rebuild_index(origin=origin)
    assert (again.added, again.known) == (0, 6)


def test_a_file_that_is_no_image_is_named_and_the_rest_indexed(stored: list[str]) -> None:
    Study.objects.all().delete()
    path_of(stored[0]).write_bytes(b"not DICOM")
    said, complained = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 files cannot be read"):
        call_command("reindex", stdout=said, stderr=complained)
    assert stored[0] in complained.getvalue()
    assert "5 files added to the index, 0 known before." in said.getvalue()


def test_whole_files_are_found_whole(stored: list[str]) -> None:
    said = StringIO()
    call_command("scrub", stdout=said)
    assert "6 files are whole." in said.getvalue()
    assert "6 files read" in said.getvalue()


def test_flipped_cut_missing_and_unknown_files_are_found(stored: list[str], origin: Origin) -> None:
    flipped, cut, missing = stored[:3]
    content = bytearray(path_of(flipped).read_bytes())
    content[-1] ^= 1
    path_of(flipped).write_bytes(content)
    path_of(cut).write_bytes(path_of(cut).read_bytes()[:-1])
    path_of(missing).unlink()
    Instance.objects.filter(file_name=stored[3]).delete()

    result = verify_files(origin=origin)

    assert sorted(result.damaged) == [flipped, cut, missing]
    assert result.unknown == [stored[3]]
    assert result.whole == 2
    damaged = Event.objects.filter(kind="file-damaged")
    assert sorted(row.details["file"] for row in damaged) == [flipped, cut, missing]
    with pytest.raises(CommandError, match="3 files are damaged or missing, 1 are not in the ind"):
        call_command("scrub", stdout=StringIO(), stderr=StringIO())
