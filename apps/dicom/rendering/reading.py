"""From the bytes of a stored object to the values of one frame."""

import io
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian

from apps.dicom.decoding import decompress
from apps.dicom.rendering.options import RenderingError
from apps.dicom.transcoding import MIB, UNCOMPRESSED, read_little_endian

MOST_FRAME_BYTES = 256 * MIB  # of one frame, decoded
_PIXELS, _FLOATS, _DOUBLES = "PixelData", "FloatPixelData", "DoubleFloatPixelData"
_PIXEL_TAG = 0x7FE00010
_NAMES = (_PIXELS, _FLOATS, _DOUBLES)
_BITS = (1, 8, 16, 32, 64)


@dataclass
class Frame:
    """One frame: its stored values, rows x columns (x 3 where it has colours), and the header.

    `dataset` says of the pixels what holds for them as they are now; `number` counts from 1.
    """

    values: NDArray[Any]
    dataset: Dataset
    number: int


def read_frame(arguments: dict[str, Any], contents: Sequence[bytes]) -> Frame:
    """The frame that a job is about; raises RenderingError, and whatever codecs raise.

    `contents` is a whole data set; or a header in little endian, the bytes of the frame, and
    large values that the header leaves out, those of the tags in `arguments["bulk"]`.
    """
    syntax, number = arguments["syntax"], arguments["frame"]
    if arguments["whole"]:
        dataset = read_little_endian(contents[0], syntax)
        return frame_of(dataset, syntax, number)
    header, pixels, *values = contents
    dataset = read_dataset(io.BytesIO(header), not arguments["explicit"], is_little_endian=True)
    for tag, value in zip(arguments["bulk"], values, strict=True):
        _fill(dataset, tag, value)
    return _alone(dataset, pixels, syntax, number)


def frame_of(dataset: Dataset, syntax: str, number: int) -> Frame:
    """One frame of a whole data set."""
    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    if not 1 <= number <= frames:
        raise RenderingError(f"there are {frames} frames")
    if not any(name in dataset for name in _NAMES):
        raise RenderingError("there are no pixels")
    if syntax in UNCOMPRESSED:
        check_size(dataset)
        _check_length(dataset, number)
        # Whatever it was in, it was read into little endian, inflated.
        plain = ExplicitVRLittleEndian
        return Frame(_plain(dataset, str(plain), number - 1), dataset, number)
    pixels = get_frame(dataset.PixelData, number - 1, number_of_frames=frames)
    return _alone(_header_of(dataset), pixels, syntax, number)


def _header_of(dataset: Dataset) -> Dataset:
    """A header of its own: decoding changes it, and the next frame needs it as it was."""
    made = dataset[:_PIXEL_TAG]
    for tag in list(made.keys()):
        made[tag] = copy(made.get_item(tag))  # what is in sequences is only read
    return made


def check_size(dataset: Dataset) -> None:
    """Before anything is decoded: are the dimensions those of an image that we take?"""
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    rows, columns, samples, bits = (_integer(dataset, name) for name in names)
    if rows <= 0 or columns <= 0 or samples not in (1, 3):
        raise RenderingError("an image without usable dimensions")
    if bits not in _BITS:
        raise RenderingError(f"{bits} bits allocated")
    if rows * columns * samples * max(bits, 8) // 8 > MOST_FRAME_BYTES:
        raise RenderingError("decoded image too large")


def _check_length(dataset: Dataset, frames: int) -> None:
    """Are there as many bytes as the dimensions ask for?"""
    samples = dataset.SamplesPerPixel
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2  # PS3.3 C.7.6.3.1.2: two of every second pixel
    bits = dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated * frames
    found = next(dataset[name].value for name in _NAMES if name in dataset)
    if len(found) < (bits + 7) // 8:
        raise RenderingError("fewer pixels than the header says")


def _integer(dataset: Dataset, name: str) -> int:
    value = dataset.get(name)
    return value if isinstance(value, int) else 0


def _fill(dataset: Dataset, tag: int, value: bytes) -> None:
    element = dataset[tag]
    vr = element.VR if element.VR in ("OB", "OW") else "OW"
    dataset.add_new(tag, vr, value)


def _alone(dataset: Dataset, pixels: bytes, syntax: str, number: int) -> Frame:
    """A frame by itself: the header with no other pixels."""
    dataset.NumberOfFrames = 1  # whatever it said: this one is here
    check_size(dataset)
    if syntax in UNCOMPRESSED:
        name = _pixel_keyword(dataset)
        setattr(dataset, name, pixels + b"\0" * (len(pixels) % 2))
        if name == _PIXELS:
            dataset[name].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
        syntax = str(ExplicitVRLittleEndian)
    else:
        dataset.PixelData = encapsulate([pixels])
        dataset[_PIXELS].is_undefined_length = True
        _announce(dataset, syntax)
        decompress(dataset, syntax)
        check_size(dataset)
        syntax = str(ExplicitVRLittleEndian)
    return Frame(_plain(dataset, syntax, 0), dataset, number)


def _pixel_keyword(dataset: Dataset) -> str:
    """Pixels of 32 or 64 bits without a Pixel Representation are floats (PS3.3 C.7.6.24)."""
    if "PixelRepresentation" in dataset or dataset.BitsAllocated < 32:
        return _PIXELS
    return _FLOATS if dataset.BitsAllocated == 32 else _DOUBLES


def _announce(dataset: Dataset, syntax: str) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.set_original_encoding(False, True)


def _plain(dataset: Dataset, syntax: str, index: int) -> NDArray[Any]:
    _announce_native(dataset, syntax)
    values, told = get_decoder(UID(syntax)).as_array(dataset, index=index)
    dataset.PhotometricInterpretation = told["photometric_interpretation"]
    return np.asarray(values)


def _announce_native(dataset: Dataset, syntax: str) -> None:
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
