"""The log stays readable, whoever knocks."""

import io
import logging
import logging.config
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from openpacs.install import ROOT


@pytest.fixture
def console() -> Iterator[io.StringIO]:
    """What the handler of the settings writes."""
    before = logging.root.handlers[:]
    logging.config.dictConfig(settings.LOGGING)
    handler = next(one for one in logging.root.handlers if one not in before)
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(io.StringIO())
    yield handler.stream
    logging.root.handlers[:] = before


def test_a_wrong_host_is_one_line(client: Client, console: io.StringIO) -> None:
    assert client.get("/account/login/", HTTP_HOST="evil.example").status_code == 400
    assert "evil.example" in console.getvalue()
    assert len(console.getvalue().splitlines()) == 1


def test_too_many_fields_are_one_line(client: Client, console: io.StringIO) -> None:
    fields = {f"field{number}": "x" for number in range(2000)}
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    answer = client.post("/account/login/", body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert len(console.getvalue().splitlines()) == 1


def test_errors_of_ours_keep_their_traceback(console: io.StringIO) -> None:
    try:
        int("ours")
    except ValueError:
        logging.getLogger("apps.accounts").exception("broken")
    assert "Traceback" in console.getvalue()


def test_sign_ins_are_left_to_the_journal(db: None, client: Client, console: io.StringIO) -> None:
    client.post("/account/login/", {"username": "nobody", "password": "wrong"})
    assert console.getvalue() == ""


def test_what_pydicom_warns_of_is_not_said(tmp_path: Path) -> None:
    """It warns each time an odd file is read, and may quote what is in it."""
    odd = "from pydicom.charset import convert_encodings; convert_encodings(['ISO-IR 100'])"
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", odd],
        cwd=ROOT,
        env={**os.environ, "OPENPACS_HOME": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    assert "ISO-IR" not in said.stdout + said.stderr
