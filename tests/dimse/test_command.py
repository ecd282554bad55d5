"""`manage.py rundimse` as a process: starts, says what is wrong, stops cleanly."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.dimse.certificates import Authority
from tests.servers import free_port

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


def test_without_any_port_it_says_so(settings: Any) -> None:
    settings.OPENPACS_DICOM_PORT = settings.OPENPACS_DICOM_TLS_PORT = 0
    with pytest.raises(CommandError, match="There is no DICOM port"):
        call_command("rundimse")


def test_a_tls_port_without_a_certificate_is_one_clear_line(settings: Any) -> None:
    settings.OPENPACS_DICOM_PORT = settings.OPENPACS_DICOM_TLS_PORT = free_port()
    with pytest.raises(CommandError, match="OPENPACS_DICOM_TLS_CERTIFICATE is not set"):
        call_command("rundimse")


def test_the_plain_port_may_be_closed(tmp_path: Path, environment: dict[str, str]) -> None:
    pair = Authority(tmp_path / "ca").vouch("openpacs")
    port = free_port()
    process = subprocess.Popen(
        command(tmp_path, "--processes", "1"),
        env={
            **environment,
            "OPENPACS_DICOM_PORT": "0",
            "OPENPACS_DICOM_TLS_PORT": str(port),
            "OPENPACS_DICOM_TLS_CERTIFICATE": str(pair.certificate),
            "OPENPACS_DICOM_TLS_KEY": str(pair.key),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = next(line for line in process.stderr if "listens on" in line)
    assert f":{port} over TLS" in line
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert "listens on" not in process.stderr.read()
    process.stderr.close()
