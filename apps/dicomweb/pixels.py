"""Frames of a stored instance, as they are stored.

Deflated and big-endian pixels are the exception: those are served as explicit VR little
endian and labelled so, because no browser could read them. So are frames of single bits
that begin within a byte.
"""

import io
from collections.abc import Iterator

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.dicom.header import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE
from apps.dicomweb.multipart import CHUNK, Part
from apps.studies.models import Instance
from apps.studies.services import outgoing_file
from apps.studies.storage import StorageError, stored_files


def served_syntax(instance: Instance) -> str:
    """The transfer syntax in which frames of an instance are served."""
    if instance.transfer_syntax_uid in {EXPLICIT_BIG, *DEFLATED}:
        return EXPLICIT_LITTLE
    return instance.transfer_syntax_uid


def frame_parts(instance: Instance, numbers: list[int], content_type: str) -> list[Part]:
    """Parts for frames counted from 1; raises StorageError where the pixels are damaged."""
    table = instance.frame_table
    if table is None:
        frames = _decoded_frames(instance, numbers)
        return [_held(frame, content_type) for frame in frames]
    if len(table) < max(numbers):
        raise StorageError("fewer frames than the header says")
    return [_stored(instance.file_name, table[number - 1], content_type) for number in numbers]


def file_part(instance: Instance, content_type: str) -> Part:
    """The whole PS3.10 file, corrections made."""
    size, chunks = outgoing_file(instance)
    return Part(content_type, size, chunks)


def bytes_part(data: bytes, content_type: str) -> Part:
    return _held(data, content_type)


def range_part(name: str, offset: int, length: int, content_type: str) -> Part:
    """Part of a stored file."""
    return _stored(name, [offset, length], content_type)


def _held(data: bytes, content_type: str) -> Part:
    return Part(content_type, len(data), lambda: [data])


def _stored(name: str, spans: list[int], content_type: str) -> Part:
    return Part(content_type, sum(spans[1::2]), lambda: _read(name, spans))


def _read(name: str, spans: list[int]) -> Iterator[bytes]:
    files = stored_files()
    for offset, length in zip(spans[0::2], spans[1::2], strict=True):
        for start in range(offset, offset + length, CHUNK):
            yield files.read(name, start, min(CHUNK, offset + length - start))


def _decoded_frames(instance: Instance, numbers: list[int]) -> list[bytes]:
    with stored_files().open(instance.file_name) as file:
        dataset = dcmread(io.BytesIO(file.read()))
    if "PixelData" not in dataset:
        raise StorageError("there are no pixels")
    pixels = _little_endian(dataset)
    bits = _bits_per_frame(dataset)
    return [_cut(pixels, (number - 1) * bits, bits) for number in numbers]


def _little_endian(dataset: Dataset) -> bytes:
    pixels: bytes = dataset.PixelData
    # PS3.5 annex A.3: OW words are swapped, single bytes in an OB are not.
    word = {16: "u2", 32: "u4", 64: "u8"}.get(dataset.BitsAllocated, "u1")
    if dataset.original_encoding[1] or (word == "u1" and dataset["PixelData"].VR == "OB"):
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
