"""Answers that are in memory, or are files that fit there, go to the web server in one piece."""

from collections.abc import Iterable
from typing import Any

from django.http import FileResponse, HttpResponse

from openpacs.forwarded import Application, Environ

AT_ONCE = 4 << 20  # bytes of a file


def in_one_piece(application: Application) -> Application:
    """Granian sends a list at once; of anything else it asks for piece after piece, each in turn
    handed from one thread to another, and files come in pieces of 4 KiB."""

    def wrapped(environ: Environ, start_response: Any) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if not _fits(answer):
            return answer
        body = b"".join(answer)
        answer.close()  # type: ignore[attr-defined]  # Django's answers have it
        return [body]

    return wrapped


def _fits(answer: object) -> bool:
    if isinstance(answer, FileResponse):
        return int(answer.headers.get("Content-Length") or AT_ONCE + 1) <= AT_ONCE
    return isinstance(answer, HttpResponse)
