"""What fronts say of a request is believed from those that are listed, and from nobody else."""

from typing import Any

import pytest

from openpacs.forwarded import believing

SAID = {
    "HTTP_FORWARDED": 'for="[2001:db8::7]:4711";proto=https;host=pacs.example, for=10.0.0.1',
    "HTTP_HOST": "inner:8000",
}


def seen_behind(trusted: list[str], **environ: str) -> dict[str, Any]:
    """What the application is given."""
    seen: dict[str, Any] = {}

    def application(given: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(given)
        return []

    list(believing(application, trusted)({"wsgi.url_scheme": "http", **environ}, None))
    return seen


@pytest.mark.parametrize("trusted", ["10.0.0.1", "10.0.0.0/8", "*"])
def test_a_listed_front_is_believed(trusted: str) -> None:
    seen = seen_behind([trusted], REMOTE_ADDR="10.0.0.1", **SAID)
    assert seen["REMOTE_ADDR"] == "2001:db8::7"
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["HTTP_HOST"] == "pacs.example"


def test_the_older_headers_go_before_the_newer_one() -> None:
    seen = seen_behind(
        ["10.0.0.1"],
        REMOTE_ADDR="10.0.0.1",
        HTTP_X_FORWARDED_FOR="192.0.2.9",
        HTTP_X_FORWARDED_HOST="other.example, second",
        **SAID,
    )
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == ("192.0.2.9", "other.example")


@pytest.mark.parametrize("trusted", [["10.0.0.2"], ["front.example"], ["10.1.0.0/16"]])
def test_a_stranger_is_not_believed_and_leaves_no_trace(trusted: list[str]) -> None:
    more = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil.example"}
    seen = seen_behind(trusted, REMOTE_ADDR="10.0.0.1", **SAID, **more)
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == ("10.0.0.1", "inner:8000")
    assert seen["wsgi.url_scheme"] == "http"
    assert not [name for name in seen if "FORWARDED" in name]
