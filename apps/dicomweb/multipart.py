"""Answers of one part or of many: multipart/related (RFC 2387), ranges of one (RFC 9110 14)."""

import io
import itertools
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from apps.dicomweb.parts import Part

AT_ONCE = 4 << 20  # an answer of so many bytes is sent in one piece
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Body:
    """What an answer holds: its length in bytes (None: not known before), read once."""

    content_type: str
    length: int | None
    pieces: Iterable[bytes | Part]

    def chunks(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Part):
                yield from piece.chunks()
            else:
                yield piece

    def whole(self) -> bytes:
        """All of it, of known length: each piece is read to where it stays, and not copied."""
        made = io.BytesIO()
        made.seek(max((self.length or 0) - 1, 0))
        made.write(b"\0" if self.length else b"")
        with made.getbuffer() as room:
            at = 0
            for piece in self.pieces:
                at = _put(piece, room, at)
        return made.getvalue()


def bare_response(request: HttpRequest, part: Part, etag: str = "") -> HttpResponseBase:
    """One part as the whole answer, or the range of it that was asked for."""
    if part.length is None:
        return _answer(bare(part))
    asked = _asked_range(request, part.length, etag)
    if asked is None:
        response = _answer(bare(part))
    elif asked[0] >= asked[1]:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{part.length}"
    else:
        start, end = asked
        response = _answer(Body(part.content_type, end - start, part.read(start, end)))
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{end - 1}/{part.length}"
    response["Accept-Ranges"] = "bytes"
    return response


def multipart_response(media_type: str, parts: Sequence[Part]) -> HttpResponseBase:
    """Parts one after the other, each read when its turn comes; the length is told if known."""
    return _answer(multipart(media_type, parts))


def multipart(media_type: str, parts: Sequence[Part]) -> Body:
    """The body of such an answer."""
    boundary = secrets.token_hex(16)
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    pieces = list(_pieces(boundary, parts))
    lengths = [one.length if isinstance(one, Part) else len(one) for one in pieces]
    known = None if None in lengths else sum(one or 0 for one in lengths)
    return Body(content_type, known, pieces)


def bare(part: Part) -> Body:
    """One part as the whole body."""
    return Body(part.content_type, part.length, [part])


def multipart_stream(media_type: str, parts: Iterable[Part]) -> StreamingHttpResponse:
    """The same for parts that are made one after the other."""
    boundary = secrets.token_hex(16)
    content_type = f'multipart/related; type="{media_type}"; boundary={boundary}'
    chunks = Body(content_type, None, _pieces(boundary, parts)).chunks()
    return StreamingHttpResponse(chunks, content_type=content_type)


def streamed(chunks: Iterable[bytes], content_type: str) -> HttpResponseBase:
    """Bytes of unknown number: in one piece where they are few, else as they come."""
    held, size = list[bytes](), 0
    rest = iter(chunks)
    for chunk in rest:
        held.append(chunk)
        size += len(chunk)
        if size > AT_ONCE:
            return StreamingHttpResponse(itertools.chain(held, rest), content_type=content_type)
    return HttpResponse(b"".join(held), content_type=content_type)


def _answer(body: Body) -> HttpResponseBase:
    response: HttpResponseBase
    if body.length is None or body.length > AT_ONCE:
        response = StreamingHttpResponse(body.chunks(), content_type=body.content_type)
    else:
        response = HttpResponse(body.whole(), content_type=body.content_type)
    if body.length is not None:
        response["Content-Length"] = str(body.length)
    return response


def _put(piece: bytes | Part, room: memoryview, at: int) -> int:
    """Put a piece where it belongs; where the next one does."""
    if isinstance(piece, bytes):
        room[at : (end := at + len(piece))] = piece
    else:
        piece.fill(room[at : (end := at + (piece.length or 0))])
    return end


def _head(boundary: str, part: Part) -> bytes:
    length = "" if part.length is None else f"Content-Length: {part.length}\r\n"
    location = f"Content-Location: {part.location}\r\n" if part.location else ""
    kind = f"Content-Type: {part.content_type}\r\n"
    return f"--{boundary}\r\n{kind}{length}{location}\r\n".encode()


def _pieces(boundary: str, parts: Iterable[Part]) -> Iterator[bytes | Part]:
    for part in parts:
        yield _head(boundary, part)
        yield part
        yield b"\r\n"
    yield _tail(boundary)


def _tail(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode()


def _asked_range(request: HttpRequest, length: int, etag: str) -> tuple[int, int] | None:
    """The one range asked for, its end exclusive; several or odd ones are not looked at.

    A range that holds no byte of the part has its start at or behind its end.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    condition = request.headers.get("If-Range", "")
    if found is None or found[0] == "bytes=-" or (condition and condition != etag):
        return None
    first, last = found[1], found[2]
    if not first:
        return max(length - int(last), 0), length
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, length) if last else length
