"""The parts of a STOW-RS request (PS3.18 10.5), read in bounded memory.

The parts go to the disk as they come; only the bytes around a boundary are held.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import RequestDataTooBig

from apps.dicomweb.exceptions import BadRequestError, UnsupportedMediaError

CHUNK = 1 << 18
MAX_HEAD = 16 * 1024
MAX_PARTS = 5000
DICOM, JSON, XML = "application/dicom", "application/dicom+json", "application/dicom+xml"
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"([^"]{0,200})"|([^\s;,"]{1,200}))')


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class UploadedPart:
    """One part: what its header says, and its bytes as they come, which are read once."""

    media_type: str
    transfer_syntax: str
    location: str
    chunks: Iterator[memoryview]


class UploadedParts:
    """Iterates over the parts of a multipart/related body; `kind` is the type of its root.

    A part must be read to its end before the next one is asked for.
    """

    def __init__(self, stream: Stream, content_type: str) -> None:
        self._stream = stream
        self.kind, boundary = _announced(content_type)
        self._mark = b"\r\n--" + boundary
        self._held = b"\r\n"  # the first boundary has no line before it
        self._at = 0  # how much of that is done with

    def __iter__(self) -> Iterator[UploadedPart]:
        for _ in self._to_boundary():
            pass  # what stands before the first boundary is no part
        for _ in range(MAX_PARTS):
            if self._is_last():
                return
            yield self._part(self._head())
        if not self._is_last():
            raise RequestDataTooBig(f"more than {MAX_PARTS} parts")

    def _more(self) -> bool:
        data = self._stream.read(CHUNK)
        self._held, self._at = self._held[self._at :] + data, 0
        return bool(data)

    def _to_boundary(self) -> Iterator[memoryview]:
        """Everything up to the next boundary, which is passed over; nothing is copied."""
        while (end := self._held.find(self._mark, self._at)) < 0:
            # The tail may be the beginning of a boundary.
            safe = len(self._held) - len(self._mark) + 1
            if safe > self._at:
                start, self._at = self._at, safe
                yield memoryview(self._held)[start:safe]
            if not self._more():
                raise BadRequestError("the body ends without its last boundary")
        start, self._at = self._at, end + len(self._mark)
        if end > start:
            yield memoryview(self._held)[start:end]

    def _is_last(self) -> bool:
        while len(self._held) - self._at < 2 and self._more():
            pass
        return self._held.startswith(b"--", self._at)

    def _head(self) -> dict[str, str]:
        """The header lines of a part, names in small letters."""
        while (end := self._held.find(b"\r\n\r\n", self._at)) < 0:
            if len(self._held) - self._at > MAX_HEAD or not self._more():
                raise BadRequestError("a part without an end of its header")
        head, self._at = self._held[self._at : end], end + 4
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
        named = (line.partition(":") for line in lines)
        return {name.strip().lower(): value.strip() for name, colon, value in named if colon}

    def _part(self, head: dict[str, str]) -> UploadedPart:
        media_type, parameters = _parsed(head.get("content-type", self.kind))
        if self.kind == DICOM and media_type != DICOM:
            raise UnsupportedMediaError("Only parts of application/dicom are taken.")
        return UploadedPart(
            media_type,
            parameters.get("transfer-syntax", ""),
            head.get("content-location", ""),
            self._to_boundary(),
        )


def _announced(content_type: str) -> tuple[str, bytes]:
    """The type of the root part, and the boundary."""
    media_type, parameters = _parsed(content_type)
    kind = parameters.get("type", "").lower()
    if media_type != "multipart/related" or kind not in (DICOM, JSON, XML):
        raise UnsupportedMediaError(
            f'Send multipart/related; type="{DICOM}", or "{JSON}" or "{XML}" with bulk data.'
        )
    if not parameters.get("boundary"):
        raise BadRequestError("Content-Type: no boundary")
    return kind, parameters["boundary"].encode("ascii", "replace")


def _parsed(content_type: str) -> tuple[str, dict[str, str]]:
    found = {
        name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(content_type)
    }
    return content_type.split(";", maxsplit=1)[0].strip().lower(), found
