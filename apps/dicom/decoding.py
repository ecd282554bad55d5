"""Compressed pixel data to plain: by pydicom's decoders, and by GDCM where those give up."""

import zlib
from collections.abc import Iterable

import gdcm
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    RLELossless,
)

# Retired processes of JPEG: spectral selection and full progression, twelve bits.
SPECTRAL, PROGRESSIVE = "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"
_ALWAYS_LOSSY = frozenset(map(str, (JPEGBaseline8Bit, JPEGExtended12Bit, SPECTRAL, PROGRESSIVE)))
_MAYBE_LOSSY = _ALWAYS_LOSSY | {str(JPEGLSNearLossless), str(JPEG2000), str(HTJ2K)}
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"  # Deflated Image Frame Compression (PS3.5 A.4.12)
# What there is a decoder for.
DECODABLE = frozenset(
    [
        *(f"1.2.840.10008.1.2.4.{one}" for one in (50, 51, 53, 55, 57, 70, 80, 81, 90, 91)),
        *(f"1.2.840.10008.1.2.4.{one}" for one in (201, 202, 203)),
        "1.2.840.10008.1.2.5",
        DEFLATED_FRAMES,
    ]
)
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002


def decompress(dataset: Dataset, source: str) -> None:
    """Replace compressed pixel data by plain, colours as RGB, the rest of the header by what fits.

    Raises whatever codecs raise.
    """
    if source == DEFLATED_FRAMES:
        _by_inflating(dataset)
    elif source == RLELossless and dataset.BitsAllocated == 1:
        _packed_bits(dataset)
    elif source in (SPECTRAL, PROGRESSIVE) or _has_twelve_bits(dataset, source):
        _by_gdcm(dataset, source)
    else:
        _by_pydicom(dataset, source)
    for tag in (_OFFSETS, _LENGTHS):
        if tag in dataset:
            del dataset[tag]
    if source in _MAYBE_LOSSY:
        _clip(dataset)
    if source in _ALWAYS_LOSSY:
        # PS3.3 C.7.6.1.1.5: once lossy, always lossy.
        dataset.LossyImageCompression = "01"


def _has_twelve_bits(dataset: Dataset, source: str) -> bool:
    return source == JPEGExtended12Bit and int(dataset.BitsStored) > 8


def _by_pydicom(dataset: Dataset, source: str) -> None:
    """One decoder after the other: what one cannot do another may."""
    *others, last = get_decoder(UID(source)).available_plugins or ("",)
    for plugin in others:
        try:
            dataset.decompress(as_rgb=True, generate_instance_uid=False, decoding_plugin=plugin)
        except Exception:  # noqa: BLE001, S112 - the last one says why
            continue
        break
    else:
        dataset.decompress(as_rgb=True, generate_instance_uid=False, decoding_plugin=last)
    if dataset.BitsAllocated == 1:
        # Decoders give a byte for each bit (PS3.5 8.1.1).
        cells = np.frombuffer(dataset.PixelData, np.uint8)[: _cells(dataset)]
        _set_pixels(dataset, np.packbits(cells, bitorder="little").tobytes())


def _by_inflating(dataset: Dataset) -> None:
    size = (_frame_cells(dataset) * dataset.BitsAllocated + 7) // 8
    compressed = generate_frames(dataset.PixelData, number_of_frames=_frames(dataset))
    _set_frames(dataset, [inflated_frame(one, size) for one in compressed])


def inflated_frame(compressed: bytes, size: int) -> bytes:
    """One deflated frame of so many bytes when it is plain; more are left behind."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(compressed, size)


def _packed_bits(dataset: Dataset) -> None:
    """RLE of single bits: its bytes hold eight pixels each (PS3.5 8.2.2)."""
    packed = Dataset()
    packed.Rows, packed.Columns, packed.SamplesPerPixel = 1, (_frame_cells(dataset) + 7) // 8, 1
    packed.BitsAllocated, packed.BitsStored, packed.HighBit = 8, 8, 7
    packed.PixelRepresentation, packed.PhotometricInterpretation = 0, "MONOCHROME2"
    packed.NumberOfFrames, packed.PixelData = _frames(dataset), dataset.PixelData
    packed["PixelData"].is_undefined_length = True
    packed.file_meta = FileMetaDataset()
    packed.file_meta.TransferSyntaxUID = RLELossless
    _by_pydicom(packed, str(RLELossless))
    size = packed.Columns
    frames = [packed.PixelData[at * size : (at + 1) * size] for at in range(_frames(dataset))]
    _set_frames(dataset, frames)


def _set_frames(dataset: Dataset, frames: Iterable[bytes]) -> None:
    """Frames one behind the other; those of single bits without the bits that fill their bytes."""
    if dataset.BitsAllocated == 1 and _frame_cells(dataset) % 8:
        bits = [np.unpackbits(np.frombuffer(one, np.uint8), bitorder="little") for one in frames]
        loose = np.concatenate([one[: _frame_cells(dataset)] for one in bits])
        frames = [np.packbits(loose, bitorder="little").tobytes()]
    plain = b"".join(frames)
    if len(plain) != (_cells(dataset) * dataset.BitsAllocated + 7) // 8:
        raise ValueError("frames of another size")
    _set_pixels(dataset, plain)


def _by_gdcm(dataset: Dataset, source: str) -> None:
    if int(dataset.SamplesPerPixel) != 1:
        raise ValueError("colours of more than eight bits")
    compressed = generate_frames(dataset.PixelData, number_of_frames=_frames(dataset))
    _set_pixels(dataset, b"".join(_gdcm_frame(one, dataset, source) for one in compressed))


def _gdcm_frame(compressed: bytes, dataset: Dataset, source: str) -> bytes:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(compressed)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(element)
    colours = gdcm.PhotometricInterpretation
    image.SetPhotometricInterpretation(
        colours(colours.GetPIType(dataset.PhotometricInterpretation))
    )
    syntax = gdcm.TransferSyntax
    image.SetTransferSyntax(syntax(syntax.GetTSType(source)))
    bits = dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit
    image.SetPixelFormat(gdcm.PixelFormat(1, *bits, dataset.PixelRepresentation))
    # GDCM's Python gives bytes as text.
    plain: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    if len(plain) != dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8:
        raise ValueError("a frame of another size")
    return plain


def _clip(dataset: Dataset) -> None:
    """Lossy codecs overshoot: a value beyond Bits Stored would be read as another one."""
    stored, allocated = int(dataset.BitsStored), int(dataset.BitsAllocated)
    if stored >= allocated or allocated not in (8, 16, 32):
        return
    signed = bool(dataset.PixelRepresentation)
    lowest, highest = (
        (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    )
    kind = np.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    count = _cells(dataset)
    cells = np.frombuffer(dataset.PixelData, kind, count)
    if cells.min() < lowest or cells.max() > highest:
        _set_pixels(dataset, np.clip(cells, lowest, highest).astype(kind).tobytes())


def _cells(dataset: Dataset) -> int:
    return _frame_cells(dataset) * _frames(dataset)


def _frame_cells(dataset: Dataset) -> int:
    return int(dataset.Rows * dataset.Columns * dataset.SamplesPerPixel)


def _frames(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _set_pixels(dataset: Dataset, plain: bytes) -> None:
    dataset.PixelData = plain + b"\0" * (len(plain) % 2)
    dataset["PixelData"].is_undefined_length = False
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
