"""What is answered: pieces of bytes of a known type, read when their turn comes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from apps.studies.storage import check_length, stored_files

CHUNK = 1 << 20
Read = Callable[[int, int], Iterable[bytes]]  # from an offset on to another, chunk by chunk


@dataclass(frozen=True)
class Part:
    """One part: its type, its length in bytes (None: known at its end only), its bytes.

    `location` is the address it could be asked for by itself.
    """

    content_type: str
    length: int | None
    read: Read
    location: str = ""
    read_into: Callable[[memoryview], object] | None = None  # all of it, where it can be so

    def chunks(self) -> Iterable[bytes]:
        return self.read(0, self.length or 0)

    def fill(self, room: memoryview) -> None:
        """Put all of it there, as long as `length` says; raises OSError."""
        if self.read_into:
            self.read_into(room)
        else:
            whole = b"".join(self.chunks())
            check_length(len(whole), len(room))
            room[:] = whole


def held_part(data: bytes, content_type: str, location: str = "") -> Part:
    """Bytes that are in memory."""
    return Part(content_type, len(data), lambda start, end: [data[start:end]], location)


def stored_part(name: str, spans: list[int], content_type: str, location: str = "") -> Part:
    """Ranges of a stored file: offset, length, and again for each further one."""
    length = sum(spans[1::2])
    whole = partial(stored_files().read_into, name, spans[0]) if len(spans) == 2 else None
    return Part(content_type, length, partial(_read, name, spans), location, whole)


def streamed_part(
    length: int | None, chunks: Callable[[], Iterator[bytes]], content_type: str
) -> Part:
    """Bytes that come in one way only; where a range is asked for, those before are dropped."""
    return Part(content_type, length, lambda start, end: _cut(chunks(), start, end, length))


def _read(name: str, spans: list[int], start: int, end: int) -> Iterator[bytes]:
    files = stored_files()
    before = 0  # bytes of earlier spans
    for offset, length in zip(islice(spans, 0, None, 2), islice(spans, 1, None, 2), strict=True):
        first, last = max(start - before, 0), min(end - before, length)
        for at in range(first, last, CHUNK):
            yield files.read(name, offset + at, min(CHUNK, last - at))
        before += length


def _cut(chunks: Iterator[bytes], start: int, end: int, length: int | None) -> Iterator[bytes]:
    if length is None or (start, end) == (0, length):
        yield from chunks
        return
    position = 0
    for chunk in chunks:
        if wanted := chunk[max(start - position, 0) : max(end - position, 0)]:
            yield wanted
        position += len(chunk)
        if position >= end:
            return
