"""multipart/related bodies (RFC 2387): written with known length, read in bounded memory."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.http import StreamingHttpResponse

CHUNK = 1 << 20


@dataclass(frozen=True)
class Part:
    """One part: its type, its length in bytes and how to get it, chunk by chunk."""

    content_type: str
    length: int
    chunks: Callable[[], Iterable[bytes]]


def bare_response(part: Part) -> StreamingHttpResponse:
    """One part as the whole answer."""
    response = StreamingHttpResponse(part.chunks(), content_type=part.content_type)
    response["Content-Length"] = str(part.length)
    return response


def multipart_response(media_type: str, parts: Sequence[Part]) -> StreamingHttpResponse:
    """Parts one after the other, each opened when its turn comes."""
    boundary = secrets.token_hex(16)
    heads = [
        f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
        f"Content-Length: {part.length}\r\n\r\n".encode()
        for part in parts
    ]
    tail = f"--{boundary}--\r\n".encode()
    response = StreamingHttpResponse(
        _body(heads, parts, tail),
        content_type=f'multipart/related; type="{media_type}"; boundary={boundary}',
    )
    length = sum(len(head) + part.length + 2 for head, part in zip(heads, parts, strict=True))
    response["Content-Length"] = str(length + len(tail))
    return response


def _body(heads: list[bytes], parts: Sequence[Part], tail: bytes) -> Iterator[bytes]:
    for head, part in zip(heads, parts, strict=True):
        yield head
        yield from part.chunks()
        yield b"\r\n"
    yield tail
