"""`manage.py rundimse` as a process: starts, says what is wrong, stops cleanly."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), "rundimse", *arguments]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OPENPACS_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
    }


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command(tmp_path, "--port", port),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert f"127.0.0.1:{port} cannot be opened" in line
    assert "OPENPACS_DICOM_PORT" in line


def test_a_termination_signal_stops_it_cleanly(tmp_path: Path, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        command(tmp_path, "--port", "0"), env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "listens on" in line:
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert "has stopped listening" in process.stderr.read()
    process.stderr.close()
