"""The parts of the department, each for itself."""

import shelve
from pathlib import Path

import pytest

from openpacs.parts import forget_damaged


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    """What beat has kept when the power failed."""
    path = tmp_path / "beat-schedule"
    with shelve.open(str(path)) as kept:
        kept["entries"] = {"sweep": 1}
    (tmp_path / "openpacs.db").write_bytes(b"everything")
    return path


def test_a_schedule_that_was_half_written_is_begun_anew(schedule: Path) -> None:
    for path in schedule.parent.glob("beat-schedule*"):
        if path.suffix != ".dir":
            path.write_bytes(b"")
    forget_damaged(schedule)
    assert [path.name for path in schedule.parent.iterdir()] == ["openpacs.db"]
    forget_damaged(schedule)  # nothing is there yet: no complaint


def test_a_whole_schedule_is_kept(schedule: Path) -> None:
    forget_damaged(schedule)
    with shelve.open(str(schedule)) as kept:
        assert kept["entries"] == {"sweep": 1}
