"""Which objects are safe here: looked at, or read to the last byte."""

from pathlib import Path

import pytest

from apps.studies.models import Instance
from apps.studies.services import is_complete, is_unaltered, keeping, kept_instances
from apps.studies.storage import StorageError, stored_files
from tests.dimse.conftest import keep

pytestmark = pytest.mark.django_db


def file_of(row: Instance) -> Path:
    return Path(stored_files().path(row.file_name))  # type: ignore[attr-defined]


@pytest.fixture
def row() -> Instance:
    keep("2.25.1")
    return Instance.objects.get()


def test_a_changed_byte_is_seen_by_reading_only(row: Instance) -> None:
    content = bytearray(file_of(row).read_bytes())
    content[-1] ^= 1
    file_of(row).write_bytes(content)
    assert is_complete(row)
    assert not is_unaltered(row)
    assert kept_instances(["2.25.1"])["2.25.1"].whole
    assert not kept_instances(["2.25.1"], check=is_unaltered)["2.25.1"].whole


def test_a_file_is_read_in_pieces(row: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "CHUNK", 100)
    assert is_unaltered(row)


def test_a_missing_file_is_not_safe(row: Instance) -> None:
    file_of(row).unlink()
    assert not is_complete(row)
    assert not is_unaltered(row)


def test_a_file_that_cannot_be_read_is_not_safe(
    row: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> bytes:
        raise StorageError("input/output error")

    monkeypatch.setattr(type(stored_files()), "read", fail)
    assert not is_unaltered(row)


def test_a_file_that_is_indexed_between_two_looks_is_found(
    row: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[list[str]] = []
    stored = keeping._stored

    def late(uids: list[str], check: keeping.Check) -> dict[str, keeping.Kept]:
        looks.append(uids)
        return stored(uids, check) if len(looks) > 1 else {}

    monkeypatch.setattr(keeping, "_stored", late)
    assert kept_instances(["2.25.1"])["2.25.1"].whole
    assert len(looks) == 2


def test_what_nobody_knows_is_not_among_the_kept(row: Instance) -> None:
    assert set(kept_instances(["2.25.1", "2.25.404"])) == {"2.25.1"}
