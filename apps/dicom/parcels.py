"""What a workshop and its processes say to one another: an object of JSON, and bytes.

JSON and not pickle, because a process that a hostile image took over answers, too.
"""

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

_HEAD = struct.Struct("<L")
_LONGEST_HEAD = 1 << 20


class ParcelError(Exception):
    """The other side is gone, or says what it should not."""


def send(stream: IO[bytes], words: dict[str, Any], contents: Sequence[bytes] = ()) -> None:
    """Write one parcel; raises OSError where nobody reads it."""
    head = json.dumps({**words, "sizes": [len(one) for one in contents]}).encode()
    stream.write(_HEAD.pack(len(head)) + head)
    for one in contents:
        stream.write(one)
    stream.flush()


def receive(stream: IO[bytes], *, most_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read one parcel of at most so many bytes; raises ParcelError, OSError."""
    (length,) = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if length > _LONGEST_HEAD:
        raise ParcelError("too long")
    words = _object(_exactly(stream, length))
    sizes = words.pop("sizes", None)
    if not isinstance(sizes, list) or not all(type(one) is int and one >= 0 for one in sizes):
        raise ParcelError("no sizes")
    if sum(sizes) > most_bytes:
        raise ParcelError("too large")
    return words, [_exactly(stream, size) for size in sizes]


def _object(head: bytes) -> dict[str, Any]:
    try:
        words = json.loads(head)
    except (ValueError, RecursionError):
        raise ParcelError("not JSON") from None
    if not isinstance(words, dict):
        raise ParcelError("not an object")
    return words


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ParcelError("ended early")
    return data
