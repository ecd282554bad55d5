"""One at a time holds a file or a folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from apps.audit.alone import alone

HOLDING = """
import pathlib, sys, time
from apps.audit.alone import alone
with alone(pathlib.Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    with alone(tmp_path) as mine:
        with alone(tmp_path) as others:
            assert (mine, others) == (True, False)
        with alone(tmp_path) as others:
            assert not others  # whoever had no luck has let nothing go
    with alone(tmp_path) as mine:
        assert mine


def test_a_file_is_free_when_its_holder_has_died(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with subprocess.Popen([sys.executable, "-c", HOLDING, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with alone(path) as mine:
            assert not mine
        holder.kill()
    with alone(path) as mine:
        assert mine


def test_what_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone(tmp_path / "gone"):
        pass
