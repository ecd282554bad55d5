"""From one transfer syntax to another: a data set in, a data set out (PS3.5 annex A).

Nothing here trusts its input further than the size checks reach: callers run it in a process
of its own, because codecs are C and headers are other people's.
"""

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.dicom.compressing import COMPRESSED, compress
from apps.dicom.decoding import decompress
from apps.dicom.encoding import encoded

MIB = 1 << 20
MOST_BYTES = 1024 * MIB  # of a data set, in whatever form
PLAIN = frozenset(map(str, (ExplicitVRLittleEndian, ImplicitVRLittleEndian)))
UNCOMPRESSED = PLAIN | {str(DeflatedExplicitVRLittleEndian), str(ExplicitVRBigEndian)}
ENCODABLE = PLAIN | COMPRESSED  # what can be made of an image, without losing a bit of it
_DECODED = frozenset(map(str, (ImplicitVRLittleEndian, ExplicitVRBigEndian)))
_PREAMBLE = b"\0" * 128 + b"DICM"
_PIXEL_DATA = 0x7FE00010
_SWAPPED = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


class TranscodingError(ValueError):
    """The data set cannot be had in that transfer syntax; the message says why."""


def transcode(data_set: bytes, source: str, target: str) -> bytes:
    """A data set in another transfer syntax, one of ENCODABLE; raises TranscodingError."""
    if target not in ENCODABLE:
        raise TranscodingError(f"no encoder for {target}")
    try:
        with warnings.catch_warnings():
            # What is odd about an image is no reason to keep it from those who want it.
            warnings.simplefilter("ignore")
            dataset = read_data_set(data_set, source)
            _convert(dataset, source, target)
            return encoded(dataset, implicit_vr=target == ImplicitVRLittleEndian)
    except TranscodingError:
        raise
    except (RecursionError, MemoryError) as error:
        raise TranscodingError(type(error).__name__) from None
    except Exception as error:  # noqa: BLE001 - codecs raise whatever bytes make them raise
        raise TranscodingError(f"{type(error).__name__} while decoding or encoding") from None


def read_data_set(data_set: bytes, source: str) -> Dataset:
    """A data set without preamble and file meta; raises TranscodingError, what pydicom raises."""
    if source == DeflatedExplicitVRLittleEndian:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        data_set = inflater.decompress(data_set, MOST_BYTES)
        if inflater.unconsumed_tail:
            raise TranscodingError("inflated data set too large")
        source = str(ExplicitVRLittleEndian)
    raw = source.encode() + b"\0" * (len(source) % 2)
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(raw)) + raw
    return dcmread(BytesIO(b"".join((_PREAMBLE, meta, data_set))))


def read_little_endian(data_set: bytes, source: str) -> Dataset:
    """The same with every word in little endian; its own transfer syntax where it was so before."""
    dataset = read_data_set(data_set, source)
    if source == ExplicitVRBigEndian:
        _settle_header(dataset, source, str(ExplicitVRLittleEndian))
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.set_original_encoding(False, True)
    return dataset


def _convert(dataset: Dataset, source: str, target: str) -> None:
    _settle_header(dataset, source, target)
    if _PIXEL_DATA in dataset:
        _convert_pixels(dataset, source, target)
    elif target in COMPRESSED:
        raise TranscodingError("no pixel data to compress")


def _settle_header(dataset: Dataset, source: str, target: str) -> None:
    if source in _DECODED:
        for _element in dataset.iterall():
            pass  # what is not decoded yet would keep the form it was read in
    else:
        _settle(dataset, implicit=target == ImplicitVRLittleEndian)
    if source == ExplicitVRBigEndian:
        _swap(dataset, _cell_bytes(dataset))


def _convert_pixels(dataset: Dataset, source: str, target: str) -> None:
    if source not in UNCOMPRESSED:
        _check_size(dataset)
        decompress(dataset, source)
    if target in COMPRESSED:
        _check_size(dataset)
        compress(dataset, target)
    else:
        _choose_pixel_vr(dataset, target)


def _settle(dataset: Dataset, *, implicit: bool) -> None:
    """Let what was read from explicit little endian be written as the bytes it is.

    Only sequences have a form to change. Texts are not decoded: they survive whatever
    character set they claim to be in.
    """
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if raw is None or raw.VR in (None, "SQ"):
            element = dataset[tag]
            if element.VR == "SQ":
                for item in element.value:
                    _settle(item, implicit=implicit)
    dataset.set_original_encoding(implicit, True, dataset.original_character_set)


def _check_size(dataset: Dataset) -> None:
    """Before anything is decoded: would it be larger than we can take?"""
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    rows, columns, samples, bits = (int(dataset.get(name) or 0) for name in names)
    if not (rows and columns and samples and bits):
        raise TranscodingError("an image without its dimensions")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if rows * columns * samples * max(bits, 8) * max(frames, 1) // 8 > MOST_BYTES:
        raise TranscodingError("decoded image too large")


def _choose_pixel_vr(dataset: Dataset, target: str) -> None:
    """PS3.5 A.1, A.2: OW in implicit VR and above eight bits."""
    if target == ImplicitVRLittleEndian or int(dataset.get("BitsAllocated") or 0) > 8:
        dataset[_PIXEL_DATA].VR = "OW"
    dataset[_PIXEL_DATA].is_undefined_length = False


def _cell_bytes(dataset: Dataset) -> int:
    return max(int(dataset.get("BitsAllocated") or 0) // 8, 2)


def _swap(dataset: Dataset, cell: int) -> None:
    """From big to little endian what pydicom leaves alone: values of words (PS3.5 7.3)."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _swap(item, cell)
        elif element.VR in _SWAPPED and isinstance(element.value, bytes):
            width = cell if element.tag == _PIXEL_DATA else _SWAPPED[element.VR]
            whole = len(element.value) // width * width
            words = np.frombuffer(element.value[:whole], dtype=f">u{width}")
            element.value = words.astype(f"<u{width}").tobytes() + element.value[whole:]
