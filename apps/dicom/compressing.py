"""Plain pixel data to compressed, without losing a bit of it (PS3.5 8.2).

High-Throughput JPEG 2000 is OpenJPH's, JPEG lossless that of libjpeg-turbo, both as imagecodecs
has them; the other encoders are pydicom's.
"""

import struct
from collections.abc import Callable

import numpy as np
from imagecodecs import JPEG8, htj2k_encode, jpeg8_encode
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

Cells = NDArray[np.unsignedinteger]
_COMPONENTS = dict.fromkeys(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), 1)
_COMPONENTS |= dict.fromkeys(("RGB", "YBR_FULL"), 3)
_BASE = 64  # pixels of a side of the smallest resolution, at most (PS3.5 10.18)
_LEVELS = 5  # of wavelets, at least
_BY_RESOLUTION = 1  # tile-parts, so that the TLM marker says where each resolution ends
_PRECISIONS = 42  # in a code stream: behind SOC and the head of SIZ, a triple each component


def compress(dataset: Dataset, target: str) -> None:
    """Replace plain little-endian pixel data by compressed, in one of COMPRESSED.

    The header says of them what holds then. Raises ValueError, and whatever codecs raise.
    """
    _interleave(dataset)
    if encode := _ENCODERS.get(target):
        cells, precision = _cells(dataset), _precision(dataset)
        dataset.PixelData = encapsulate([encode(one, dataset, precision) for one in cells])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = UID(target)
    else:
        _by_pydicom(dataset, target)


def _by_pydicom(dataset: Dataset, target: str) -> None:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_original_encoding(False, True, dataset.original_character_set)
    # GDCM's encoder of RLE ends its process where a frame has an odd number of pixels.
    plugin = "pylibjpeg" if target == RLELossless else ""
    stored = dataset.BitsStored
    # RLE is of bytes, whatever is in them.
    dataset.BitsStored = dataset.BitsAllocated if target == RLELossless else _precision(dataset)
    dataset.compress(target, encoding_plugin=plugin, generate_instance_uid=False)
    dataset.BitsStored = stored


def _interleave(dataset: Dataset) -> None:
    """Colours pixel by pixel: encoders take planes for such, and scramble them."""
    if dataset.get("PlanarConfiguration") == 1 and dataset.SamplesPerPixel == 3:
        rows, columns = dataset.Rows, dataset.Columns
        planes = _numbers(dataset).reshape(-1, 3, rows, columns)
        pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1)).tobytes()
        dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
        dataset.PlanarConfiguration = 0


def _cells(dataset: Dataset) -> Cells:
    """Frames x rows x columns (x 3 where it has colours) of unsigned numbers."""
    samples = _COMPONENTS.get(dataset.PhotometricInterpretation)
    if samples != dataset.SamplesPerPixel:
        raise ValueError("colours that no encoder takes")
    shape = dataset.Rows, dataset.Columns, samples
    return _numbers(dataset).reshape(-1, *(shape if samples == 3 else shape[:2]))


def _numbers(dataset: Dataset) -> Cells:
    """All that frames hold, each pixel cell as an unsigned number."""
    if dataset.BitsAllocated not in (8, 16):
        raise ValueError(f"{dataset.BitsAllocated} bits allocated")
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    count = size * max(int(dataset.get("NumberOfFrames") or 1), 1)
    return np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}", count)


def _precision(dataset: Dataset) -> int:
    """How many bits of each cell are to be kept: those stored, or all that are allocated.

    All where the others hold something, as overlays once did (PS3.5 8.1.1), and where those
    stored would fit into smaller cells than the header says.
    """
    stored, allocated = int(dataset.BitsStored), int(dataset.BitsAllocated)
    if stored == allocated:
        return stored
    if stored <= 8 < allocated or dataset.HighBit != stored - 1:
        return allocated
    cells = _numbers(dataset)
    others = cells >> stored
    if not others.any():
        return stored
    # Two's complement, all of it, says no more than its lower bits.
    extended = (cells >> (stored - 1) & 1) * ((1 << allocated - stored) - 1)
    is_signed = dataset.PixelRepresentation == 1
    return stored if is_signed and (others == extended).all() else allocated


def _high_throughput(cells: Cells, dataset: Dataset, precision: int) -> bytes:
    """A code stream in RPCL order with a TLM marker: what both lossless syntaxes ask for."""
    is_signed, colours = dataset.PixelRepresentation == 1, dataset.PhotometricInterpretation
    in_rgb = colours in ("RGB", "YBR_RCT")  # the latter from the second frame on
    if in_rgb:
        dataset.PhotometricInterpretation = "YBR_RCT"
    longest = max(int(dataset.Rows), int(dataset.Columns))
    made = htj2k_encode(
        _around_zero(cells, is_signed, precision),
        reversible=True,
        rgb=in_rgb,
        planar=False,
        resolutions=max(_LEVELS, ((longest - 1) // _BASE).bit_length()),
        tlm=True,
        tilepart=_BY_RESOLUTION,
    )
    return _with_precision(made, is_signed, precision)


def _around_zero(cells: Cells, is_signed: bool, precision: int) -> NDArray[np.signedinteger]:
    """Signed numbers; what is unsigned as a decoder has it before it shifts the level."""
    bits = cells.dtype.itemsize * 8
    signed = np.dtype(f"i{cells.dtype.itemsize}")
    if is_signed:
        left = bits - precision
        return (cells << left).view(signed) >> left
    return (cells - cells.dtype.type(1 << precision - 1)).view(signed)


def _with_precision(made: bytes | bytearray, is_signed: bool, precision: int) -> bytes:
    """The encoder takes whole bytes for the precision of what it is given: here it is put right.

    Ssiz of each component (ISO 15444-1 A.5.1).
    """
    stream = bytearray(made)
    (components,) = struct.unpack_from(">H", stream, _PRECISIONS - 2)
    for index in range(components):
        stream[_PRECISIONS + 3 * index] = precision - 1 | (0x80 if is_signed else 0)
    return bytes(stream)


def _jpeg(cells: Cells, dataset: Dataset, precision: int) -> bytes:
    """JPEG lossless by the first predictor; two's complement where the pixels are signed."""
    colours = JPEG8.CS.RGB if dataset.SamplesPerPixel == 3 else JPEG8.CS.GRAYSCALE
    made = jpeg8_encode(
        cells & cells.dtype.type((1 << precision) - 1),
        colorspace=colours,
        outcolorspace=colours,
        lossless=True,
        predictor=1,
        bitspersample=precision,
    )
    return bytes(made)


_ENCODERS: dict[str, Callable[[Cells, Dataset, int], bytes]] = {
    str(HTJ2KLossless): _high_throughput,
    str(HTJ2KLosslessRPCL): _high_throughput,
    str(JPEGLosslessSV1): _jpeg,
}
COMPRESSED = frozenset([*_ENCODERS, *map(str, (RLELossless, JPEGLSLossless, JPEG2000Lossless))])
