"""Objects cut before their pixels, which are passed on as they lie: nothing large is held."""

import mmap
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from apps.dicom.deflated import Whole
from apps.dicom.header import WalkError, explicit, spans
from apps.exports.services.room import exports_folder
from apps.studies.services.outgoing import Outgoing

HELD = 1 << 24  # bytes of an object that is not laid into a file first
CHUNK = 1 << 20
_PIXEL_GROUP, _PIXEL_DATA = 0x7FE0, 0x7FE00010


@dataclass(frozen=True)
class Split:
    """A data set: its bytes before the pixels, and where these lie.

    Private groups and padding behind the pixels belong to neither.
    """

    whole: Whole
    start: int
    end: int
    has_pixel_data: bool

    @property
    def front(self) -> bytes:
        return bytes(self.whole[: self.start])

    @property
    def size(self) -> int:
        """Of the pixels, with the heads of their elements."""
        return self.end - self.start

    def pixels(self) -> Iterator[bytes]:
        for at in range(self.start, self.end, CHUNK):
            yield bytes(self.whole[at : min(at + CHUNK, self.end)])


def split(found: Outgoing) -> Split | None:
    """An object that is going out, cut in two; None where nobody can tell where its pixels are."""
    whole = _mapped(found)
    start = end = len(whole)
    has_pixel_data = False
    try:
        walked = spans(whole, 0, end, explicit_vr=explicit(found.transfer_syntax_uid))
        for element, behind in walked:
            group = element.tag >> 16
            if group < _PIXEL_GROUP or element.tag & 0xFFFF == 0:
                continue
            if group > _PIXEL_GROUP:
                start, end = min(start, element.start), min(end, element.start)
                break
            start, end = min(start, element.start), behind
            has_pixel_data |= element.tag == _PIXEL_DATA
    except (WalkError, struct.error):
        return None
    return Split(whole, start, end, has_pixel_data)


def _mapped(found: Outgoing) -> Whole:
    """The bytes: held if few, else mapped from a file that goes when nobody reads it any more."""
    if found.size <= HELD:
        return b"".join(found.pieces())
    with tempfile.TemporaryFile(dir=exports_folder()) as file:
        for piece in found.pieces():
            file.write(piece)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
