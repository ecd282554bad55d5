"""Bodies that come without their length: in chunks (RFC 9112 7.1), or over HTTP/2."""

import io
from collections.abc import Callable
from typing import IO, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class UnannouncedBodyMiddleware:
    """Lets views read a body of which nobody said how long it is.

    Django takes such a body for an empty one, although the web server ends it properly
    (`wsgi.input_terminated`). Other archives and many clients store images that way. What is
    short is read and its length filled in; of what is longer the length says only that it is
    too long to be held in memory, and views that read piece by piece get all of it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> None:
        """Here, and not before: nothing is read of who was refused already."""
        if request.method not in _BODILESS and _is_unannounced(request.META):
            stream = request.META["wsgi.input"]
            begin = stream.read((settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 1)
            request.META["CONTENT_LENGTH"] = str(len(begin))
            request._stream = _Joined(begin, stream)  # type: ignore[assignment]  # read alike


def _is_unannounced(environ: dict[str, Any]) -> bool:
    return not environ.get("CONTENT_LENGTH") and bool(environ.get("wsgi.input_terminated"))


class _Joined(io.RawIOBase):
    """What was read already, then the rest."""

    def __init__(self, begin: bytes, rest: IO[bytes]) -> None:
        self._begin, self._rest = io.BytesIO(begin), rest

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self._begin.read() + self._rest.read()
        return self._begin.read(size) or (self._rest.read(size) if size else b"")

    def readline(self, size: int | None = -1, /) -> bytes:
        """Of what was read already alone: forms have lines, and are as short as that."""
        return self._begin.readline(size)
