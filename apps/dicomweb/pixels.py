"""Pixels of a stored instance: as they are stored, or in another transfer syntax.

Deflated and big-endian pixels are served as explicit VR little endian and labelled so, because
no browser could read them. Codecs run in processes of their own (`apps/dicom/workshop.py`).
"""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import zstandard
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from apps.dicom.compressing import COMPRESSED
from apps.dicom.header import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, NATIVE, explicit
from apps.dicom.part10 import file_meta
from apps.dicom.single_frames import frame_of, single_frame
from apps.dicom.transcoding import MOST_BYTES, TranscodingError
from apps.dicom.workshop import Workshop
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.negotiation import DICOM, STORED
from apps.dicomweb.parts import Part, held_part, stored_part, streamed_part
from apps.studies.models import Instance
from apps.studies.services import outgoing, outgoing_file
from apps.studies.storage import StorageError, stored_files

_FLOAT_TAGS = {"OF": "7FE00008", "OD": "7FE00009"}
_COMPRESSIBLE_BITS = (8, 16)
_SHORTEST_JPEG_2000 = 32  # pixels of a side: the encoder halves an image five times
_PLAIN = NATIVE | DEFLATED | {EXPLICIT_BIG}
workshop = Workshop()


def pixel_tag(rows: int | None, pixel_vr: str) -> str:
    """The tag of the pixel data of an instance with these columns; empty where it has none."""
    return _FLOAT_TAGS.get(pixel_vr, "7FE00010") if rows and pixel_vr else ""


def sent_as(instance: Instance, transfer_syntax: str) -> str:
    """The transfer syntax of an object for who asked for this one.

    Reports, plans and pixels that no encoder takes (single bits, floats, a side too short for
    JPEG 2000) go plain: among the images of a study they are to come, too.
    """
    if transfer_syntax not in COMPRESSED or instance.transfer_syntax_uid == transfer_syntax:
        return transfer_syntax
    return transfer_syntax if _is_taken(instance, transfer_syntax) else EXPLICIT_LITTLE


def _is_taken(instance: Instance, transfer_syntax: str) -> bool:
    """Does the encoder of this transfer syntax take such pixels?"""
    if instance.pixel_vr not in ("OB", "OW") or instance.bits_allocated not in _COMPRESSIBLE_BITS:
        return False
    shortest = min(instance.rows or 0, instance.columns or 0)
    return transfer_syntax != JPEG2000Lossless or shortest >= _SHORTEST_JPEG_2000


def file_part(instance: Instance, transfer_syntax: str, location: str = "") -> Part:
    """The PS3.10 file, corrections made, in a transfer syntax (STORED: in its own).

    What has to be transcoded is, when it is read, and then raises NotAcceptableError.
    """
    if transfer_syntax in (STORED, instance.transfer_syntax_uid):
        size, chunks = outgoing_file(instance)
        return streamed_part(size, chunks, _labelled(DICOM, instance.transfer_syntax_uid))

    def read() -> Iterator[bytes]:
        yield transcoded_file(instance, transfer_syntax)

    return streamed_part(None, read, _labelled(DICOM, transfer_syntax))


def transcoded_file(instance: Instance, transfer_syntax: str) -> bytes:
    """The whole file in another transfer syntax; raises NotAcceptableError."""
    going = outgoing(instance)
    if going.size > MOST_BYTES:
        raise NotAcceptableError("It is too large to be transcoded; ask for transfer-syntax=*.")
    data = _transcoded(b"".join(going.pieces()), instance.transfer_syntax_uid, transfer_syntax)
    head = file_meta(
        sop_class=instance.sop_class_uid,
        sop_instance=instance.sop_instance_uid,
        transfer_syntax=transfer_syntax,
        source=instance.source,
    )
    return head + data


def frame_parts(
    instance: Instance,
    numbers: Sequence[int],
    spans: Sequence[list[int] | None],
    content_type: str,
    transfer_syntax: str,
) -> list[Part]:
    """Parts for frames counted from 1; `spans` is where each is in the file, if that is known.

    Raises StorageError where the pixels are damaged, NotAcceptableError where codecs fail.
    """
    label = _labelled(content_type, transfer_syntax)
    if as_stored(instance, transfer_syntax):
        if None not in spans:
            return [stored_part(instance.file_name, one, label) for one in spans if one]
        return [held_part(frame, label) for frame in _cut_frames(instance, numbers, spans)]
    return [
        held_part(_transcoded_frame(instance, frame, transfer_syntax), label)
        for frame in _cut_frames(instance, numbers, spans)
    ]


def as_stored(instance: Instance, transfer_syntax: str) -> bool:
    """Are its frames in a transfer syntax the bytes that are in the file (if they are plain)?"""
    stored = instance.transfer_syntax_uid
    return transfer_syntax == stored or (transfer_syntax in NATIVE and stored in _PLAIN)


def whole_pixels(instance: Instance, content_type: str, transfer_syntax: str) -> Part:
    """Plain pixel data of all frames as one value."""
    label = _labelled(content_type, transfer_syntax)
    if table := instance.frame_table:
        length = sum(length for _, length in table)  # one frame behind the other
        return stored_part(instance.file_name, [table[0][0], length], label)
    return held_part(_little_endian(_read_dataset(instance)), label)


def _labelled(content_type: str, transfer_syntax: str) -> str:
    return f"{content_type}; transfer-syntax={transfer_syntax}"


def _transcoded(data_set: bytes, source: str, target: str) -> bytes:
    try:
        return workshop.transcode(data_set, source, target)
    except TranscodingError as error:
        raise NotAcceptableError(
            f"Not to be had as {target} ({error}); ask for transfer-syntax=*."
        ) from error


def _transcoded_frame(instance: Instance, frame: bytes, target: str) -> bytes:
    stored = instance.transfer_syntax_uid
    source = EXPLICIT_LITTLE if stored in _PLAIN else stored
    header = zstandard.decompress(instance.header)
    data = single_frame(header, frame, source, explicit_vr=explicit(stored))
    return frame_of(_transcoded(data, source, target))


def _cut_frames(
    instance: Instance, numbers: Sequence[int], spans: Sequence[list[int] | None]
) -> list[bytes]:
    """The bytes of frames, out of the file as a whole where their places are not known."""
    if None not in spans:
        parts = [stored_part(instance.file_name, one, "") for one in spans if one]
        return [b"".join(part.chunks()) for part in parts]
    if instance.transfer_syntax_uid not in _PLAIN:
        raise StorageError("fewer frames than the header says")
    dataset = _read_dataset(instance)
    pixels, bits = _little_endian(dataset), _bits_per_frame(dataset)
    return [_cut(pixels, (number - 1) * bits, bits) for number in numbers]


def _read_dataset(instance: Instance) -> Dataset:
    with stored_files().open(instance.file_name) as file:
        return dcmread(io.BytesIO(file.read()))


def _little_endian(dataset: Dataset) -> bytes:
    """The pixels of a plain image, whichever tag they have; raises StorageError."""
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    name = next((one for one in names if one in dataset), None)
    if name is None:
        raise StorageError("there are no pixels")
    pixels: bytes = dataset[name].value
    # PS3.5 annex A.3: OW words are swapped, single bytes in an OB are not.
    word = {16: "u2", 32: "u4", 64: "u8"}.get(dataset.BitsAllocated, "u1")
    if dataset.original_encoding[1] or (word == "u1" and dataset[name].VR == "OB"):
        return pixels
    word = "u2" if word == "u1" else word
    size = int(word[1])
    whole = np.frombuffer(pixels[: len(pixels) // size * size], f">{word}")
    return whole.astype(f"<{word}").tobytes()


def _bits_per_frame(dataset: Dataset) -> int:
    samples = int(dataset.get("SamplesPerPixel", 1))
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    return int(dataset.Rows) * int(dataset.Columns) * samples * int(dataset.BitsAllocated)


def _cut(pixels: bytes, start: int, bits: int) -> bytes:
    if len(pixels) * 8 < start + bits:
        raise StorageError("fewer pixels than the header says")
    if start % 8 == 0 and bits % 8 == 0:
        return pixels[start // 8 : (start + bits) // 8]
    first, last = start // 8, (start + bits + 7) // 8
    loose = np.unpackbits(np.frombuffer(pixels[first:last], np.uint8), bitorder="little")
    own = loose[start - first * 8 : start - first * 8 + bits]
    return np.packbits(own, bitorder="little").tobytes()
