"""Another header in front of the same pixel data, for files of every transfer syntax."""

import io
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.dicom.amending import read_elements
from apps.dicom.deflated import inflate
from apps.dicom.encoding import encoded
from apps.dicom.header import DEFLATED, PIXEL_TAGS, WalkError, elements, explicit
from apps.studies.storage import stored_files

CHUNK = 1 << 20
Piece = bytes | tuple[int, int]  # bytes, or offset and length in the file


@dataclass(frozen=True)
class StoredObject:
    """A file and its header as the index keeps it: little endian, bulk values emptied."""

    file_name: str
    start: int  # of the data set
    size: int
    transfer_syntax_uid: str
    header: bytes
    bulk: dict[int, int]  # lengths of the values that were left in the file, by tag

    @property
    def explicit_vr(self) -> bool:
        return explicit(self.transfer_syntax_uid)


def rewritten(stored: StoredObject, header: bytes) -> list[Piece] | None:
    """The data set with `header` in place of its own; None where that is the same.

    Nothing that is large is read: pixel data and bulk values are pointed to. Big endian,
    deflated and odd files are the exception, they are made anew as a whole.
    """
    if header is stored.header or header == stored.header:
        return None
    if stored.transfer_syntax_uid in DEFLATED:
        return [_deflated(stored, header)]
    cuts = _cuts(stored, header)
    if _lies_as_walked(stored):
        moved: list[Piece] = [
            piece if isinstance(piece, bytes) else (piece[0] + stored.start, piece[1])
            for piece in cuts
        ]
        return [*moved, (stored.start + _front(stored), _rest(stored))]
    return [_made_anew(stored, header)]


def _front(stored: StoredObject) -> int:
    """Length of the data set up to its pixel data, as it lies in the file."""
    return len(stored.header) + sum(stored.bulk.values())


def _rest(stored: StoredObject) -> int:
    return stored.size - stored.start - _front(stored)


def _cuts(stored: StoredObject, header: bytes) -> list[Piece]:
    """The new header, with bulk values as offsets from the start of the old data set."""
    if not stored.bulk:
        return [header]
    places = dict(_bulk_places(stored))
    pieces: list[Piece] = []
    copied = 0
    for element in elements(header, 0, len(header), explicit_vr=stored.explicit_vr):
        if element.tag in places:
            pieces += [header[copied : element.start], places[element.tag]]
            copied = element.offset
    return [*pieces, header[copied:]]


def _bulk_places(stored: StoredObject) -> Iterator[tuple[int, tuple[int, int]]]:
    """Where each bulk element, its own header included, is in the data set."""
    before = 0
    header = stored.header
    for element in elements(header, 0, len(header), explicit_vr=stored.explicit_vr):
        if length := stored.bulk.get(element.tag):
            yield element.tag, (element.start + before, element.offset - element.start + length)
            before += length


def _lies_as_walked(stored: StoredObject) -> bool:
    """Are the bytes of the file those of the header, or was it read in another way?"""
    if _rest(stored) < 0:
        return False
    files = stored_files()
    position = emptied = 0
    places = dict(_bulk_places(stored))
    for tag, (offset, length) in [*places.items(), (0, (_front(stored), 0))]:
        found = files.read(stored.file_name, stored.start + position, offset - position)
        if found != stored.header[position - emptied : offset - emptied]:
            return False
        position, emptied = offset + length, emptied + stored.bulk.get(tag, 0)
    return True


def _deflated(stored: StoredObject, header: bytes) -> bytes:
    with stored_files().open(stored.file_name) as file:
        whole = inflate(file.read(), stored.start)
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    made = [
        engine.compress(
            piece if isinstance(piece, bytes) else whole[piece[0] : piece[0] + piece[1]]
        )
        for piece in [*_cuts(stored, header), whole[_front(stored) :]]
    ]
    deflated = b"".join([*made, engine.flush()])
    return deflated + b"\0" * (len(deflated) % 2)  # PS3.5 A.5: an even length


def _made_anew(stored: StoredObject, header: bytes) -> bytes:
    """For what the walk cannot follow: pydicom reads the file and writes it again."""
    try:
        with warnings.catch_warnings(action="ignore"):
            with stored_files().open(stored.file_name) as file:
                dataset = dcmread(io.BytesIO(file.read()), force=True)
            _replace_header(dataset, stored, header)
            implicit_vr, little_endian = dataset.original_encoding
            return encoded(
                dataset, implicit_vr=bool(implicit_vr), little_endian=bool(little_endian)
            )
    except Exception as error:  # damaged bytes surface as almost anything
        raise WalkError(f"cannot be written anew ({type(error).__name__})") from error


def _replace_header(dataset: Dataset, stored: StoredObject, header: bytes) -> None:
    first = min(PIXEL_TAGS)
    for tag in [tag for tag in dataset.keys() if tag < first]:  # noqa: SIM118 - no values
        if tag not in stored.bulk:
            del dataset[tag]
    for element in read_elements(header, explicit_vr=stored.explicit_vr):
        if element.tag not in stored.bulk:
            dataset[element.tag] = element
