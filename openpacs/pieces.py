"""Answers that are in memory go to the web server in one piece."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse

from openpacs.forwarded import Application, Environ


def in_one_piece(application: Application) -> Application:
    """Granian sends a list at once; of anything else it asks for piece after piece, each in turn
    handed from one thread to another."""

    def wrapped(environ: Environ, start_response: Any) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if not isinstance(answer, HttpResponse):
            return answer
        answer.close()
        return [answer.content]

    return wrapped
