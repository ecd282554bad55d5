"""What is in memory goes to the web server at once."""

import io
from typing import Any

import pytest
from django.core.signals import request_finished
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from openpacs.pieces import AT_ONCE, in_one_piece


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


@pytest.mark.parametrize(("length", "pieces"), [(10_000, 1), (AT_ONCE + 1, 1025)])
def test_a_file_that_fits_into_memory_is_one_piece(
    length: int, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_finished, "send", lambda **_: None)
    answer = list(sent(FileResponse(io.BytesIO(bytes(length)))))
    assert (len(answer), sum(map(len, answer))) == (pieces, length)
