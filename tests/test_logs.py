"""The log stays readable, whoever knocks."""

import io
import logging
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client


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
