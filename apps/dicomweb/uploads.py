"""The parts of a STOW-RS request (PS3.18 10.5), read in bounded memory.

The parts go to the spool as they come; only the bytes around a boundary are held.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from apps.dicomweb.exceptions import BadRequestError, UnsupportedMediaError

CHUNK = 1 << 18
MAX_HEAD = 16 * 1024
MAX_PARTS = 5000
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;,]{1,200}))', re.IGNORECASE)


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UploadedParts:
    """Iterates over the parts of a multipart/related body, each an iterator of chunks.

    A part must be read to its end before the next one is asked for.
    """

    def __init__(self, stream: Stream, content_type: str) -> None:
        self._stream = stream
        self._mark = b"\r\n--" + _boundary(content_type)
        self._held = b"\r\n"  # the first boundary has no line before it
        self._ended = False

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        for _ in self._to_boundary():
            pass  # what stands before the first boundary is no part
        for _ in range(MAX_PARTS):
            if self._is_last():
                return
            self._skip_head()
            yield self._to_boundary()
        raise BadRequestError(f"more than {MAX_PARTS} parts")

    def _more(self) -> bool:
        data = self._stream.read(CHUNK)
        self._held += data
        return bool(data)

    def _to_boundary(self) -> Iterator[bytes]:
        """Everything up to the next boundary, which is taken away."""
        while (at := self._held.find(self._mark)) < 0:
            # The tail may be the beginning of a boundary.
            safe = max(len(self._held) - len(self._mark) + 1, 0)
            if safe:
                chunk, self._held = self._held[:safe], self._held[safe:]
                yield chunk
            if not self._more():
                raise BadRequestError("the body ends without its last boundary")
        chunk, self._held = self._held[:at], self._held[at + len(self._mark) :]
        if chunk:
            yield chunk

    def _is_last(self) -> bool:
        while len(self._held) < 2 and self._more():
            pass
        return self._held.startswith(b"--")

    def _skip_head(self) -> None:
        """The header lines of a part; only application/dicom is taken."""
        while (at := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > MAX_HEAD or not self._more():
                raise BadRequestError("a part without an end of its header")
        head, self._held = self._held[:at].lower(), self._held[at + 4 :]
        kind = re.search(rb"content-type:\s*([\w./+-]+)", head)
        if kind is not None and kind[1] != b"application/dicom":
            raise UnsupportedMediaError("Only parts of application/dicom are taken.")


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind != "multipart/related" or "application/dicom" not in content_type.lower():
        raise UnsupportedMediaError('Send multipart/related; type="application/dicom".')
    if "dicom+" in content_type.lower():
        raise UnsupportedMediaError("Only application/dicom is taken, not its metadata forms.")
    if found is None:
        raise BadRequestError("Content-Type: no boundary")
    return (found[1] or found[2]).encode("ascii", "replace")
