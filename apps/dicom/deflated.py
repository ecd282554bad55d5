"""Inflating deflated data sets (PS3.5 A.5), bounded: a kilobyte may become a megabyte."""

import zlib
from collections.abc import Iterator
from mmap import mmap

Buffer = bytes | memoryview | mmap
Whole = bytes | mmap  # of a whole file: slices of it are bytes
MAX_INFLATED = 256 << 20  # bytes of a whole data set
# Bytes to which a header is inflated, in this order, until its pixels are reached.
HEADER_BYTES = (1 << 20, 4 << 20, 16 << 20)
_PIECE = 1 << 16  # of the deflated bytes, looked at in one go


class DamagedError(ValueError):
    """Deflated bytes that cannot be inflated, or to more than is allowed."""


class Inflater:
    """Inflates a buffer from an offset on, as far as it is asked to."""

    def __init__(self, buffer: Buffer, offset: int) -> None:
        self.data = bytearray()
        self._buffer, self._position, self._pending = buffer, offset, b""
        self._engine = zlib.decompressobj(-zlib.MAX_WBITS)

    def up_to(self, size: int) -> bool:
        """Inflate until `data` has `size` bytes; True if that is all there is."""
        while len(self.data) < size and not self._engine.eof and self._more():
            try:
                self.data += self._engine.decompress(self._pending, size - len(self.data))
            except zlib.error as error:
                raise DamagedError(f"damaged deflated data ({error})") from None
            self._pending = self._engine.unconsumed_tail
        return len(self.data) < size

    def _more(self) -> bool:
        if not self._pending:
            end = self._position + _PIECE
            self._pending = bytes(self._buffer[self._position : end])
            self._position = end
        return bool(self._pending)


def inflate(buffer: Buffer, offset: int) -> bytes:
    """The whole data set; raises DamagedError."""
    inflater = Inflater(buffer, offset)
    if not inflater.up_to(MAX_INFLATED):
        raise DamagedError("inflates to more than this site allows")
    return bytes(inflater.data)


def inflated_fronts(buffer: Buffer, offset: int) -> Iterator[tuple[bytes, bool]]:
    """The front of the data set, longer each time, and whether that is all of it."""
    inflater = Inflater(buffer, offset)
    for size in HEADER_BYTES:
        whole = inflater.up_to(size)
        yield bytes(inflater.data), whole
        if whole:
            return
