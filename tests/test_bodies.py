"""Bodies of which nobody says how long they are."""

import io

import pytest
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.request import Request

from openpacs.bodies import UnannouncedBodyMiddleware


def sent(body: bytes, method: str = "POST", **environ: object) -> WSGIRequest:
    """A request as the web server hands it on that got this body in chunks."""
    said = {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": ""}
    base = RequestFactory().get("/").environ
    request = WSGIRequest({**base, **said, "wsgi.input_terminated": True, **environ})
    UnannouncedBodyMiddleware(lambda request: HttpResponse()).process_view(request, None, (), {})
    return request


def test_a_short_body_of_no_length_is_read_as_any_other() -> None:
    request = sent(b'{"a": 1}')
    assert request.body == b'{"a": 1}'
    assert Request(sent(b"x")).stream is not None  # the REST framework looks at the length


def test_a_form_of_no_length_is_a_form() -> None:
    plain = sent(b"name=A&age=1", CONTENT_TYPE="application/x-www-form-urlencoded")
    assert plain.POST.dict() == {"name": "A", "age": "1"}
    lines = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nA\r\n--x--\r\n'
    assert sent(lines, CONTENT_TYPE="multipart/form-data; boundary=x").POST["name"] == "A"


def test_a_long_body_of_no_length_comes_in_pieces_and_is_not_held_in_memory() -> None:
    body = bytes(range(256)) * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 256 + 4000)
    request = sent(body)
    assert b"".join(iter(lambda: request.read(100_000), b"")) == body
    with pytest.raises(RequestDataTooBig):
        _ = sent(body).body


def test_no_body_stays_none() -> None:
    assert sent(b"", "DELETE").body == b""
    assert Request(sent(b"", "DELETE")).stream is None
