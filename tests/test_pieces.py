"""What is in memory goes to the web server at once."""

from typing import Any

import pytest
from django.core.signals import request_finished
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from openpacs.pieces import in_one_piece


def sent(answer: HttpResponseBase) -> Any:
    return in_one_piece(lambda environ, start_response: answer)({}, None)


def test_an_answer_in_memory_is_one_piece_and_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_finished, "send", lambda **_: None)  # no database here
    answer = HttpResponse(["one ", "two"])
    assert sent(answer) == [b"one two"]
    assert answer.closed


def test_a_stream_is_left_to_flow() -> None:
    answer = StreamingHttpResponse(iter([b"one", b"two"]))
    assert sent(answer) is answer
    assert not answer.closed
