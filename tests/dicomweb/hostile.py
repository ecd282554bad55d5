"""Images made to hurt: real ones with wrong dimensions, broken streams, bombs."""

import copy
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian

from apps.dicom.uids import new_uid
from tests.dicom.objects import ct_image, part10

PLAIN, PALETTE, COLOUR = "CT_small.dcm", "examples_palette.dcm", "SC_rgb_jpeg_dcmtk.dcm"
STREAMS = {
    "jpeg": COLOUR,
    "jpeg-12": "JPGExtended.dcm",
    "j2k": "JPEG2000.dcm",
    "jls": "MR_small_jpeg_ls_lossless.dcm",
    "rle": "MR_small_RLE.dcm",
}
HEADERS: dict[str, dict[str, Any]] = {
    "huge": {"Rows": 65535, "Columns": 65535},
    "no rows": {"Rows": 0},
    "one column more": {"Columns": 129},
    "64 bits": {"BitsAllocated": 64},
    "13 bits": {"BitsAllocated": 13},
    "32 bits": {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
    "no bits stored": {"BitsStored": 0, "HighBit": 0},
    "all bits stored": {"BitsStored": 65535, "HighBit": 65535},
    "high bit of another": {"HighBit": 99},
    "four samples": {"SamplesPerPixel": 4},
    "three samples": {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
    "colours of one sample": {"PhotometricInterpretation": "YBR_FULL"},
    "palette without one": {"PhotometricInterpretation": "PALETTE COLOR"},
    "unknown colours": {"PhotometricInterpretation": "<script>"},
    "signs without meaning": {"PixelRepresentation": 7},
    "width zero": {"WindowCenter": 40, "WindowWidth": 0},
    "negative width": {"WindowCenter": 40, "WindowWidth": -400},
    "largest window": {"WindowCenter": "1e308", "WindowWidth": "1e308"},
    "steepest slope": {"RescaleSlope": "1e308", "RescaleIntercept": "-1e308"},
    "no spacing": {"PixelSpacing": ["0", "0"]},
    "thin pixels": {"PixelSpacing": ["1e-300", "1e300"]},
}
# Values that are no numbers cannot be set; they are written over others of the same length.
TEXTS = {
    "window is not a number": ("WindowWidth", "400.0", b"nan  "),
    "endless window": ("WindowCenter", "400.0", b"-inf "),
    "words for a slope": ("RescaleSlope", "400.0", b"1..e9"),
    "words for frames": ("NumberOfFrames", "400", b"1e9"),
}


def hostile_images() -> Iterator[tuple[str, bytes]]:
    """Names and files, the same each time."""
    for name, values in HEADERS.items():
        yield name, _file(_plain(**values))
    for name, (keyword, there, instead) in TEXTS.items():
        yield name, _file(_plain(**{keyword: there})).replace(there.encode(), instead)
    yield "endless frames", _file(_plain(NumberOfFrames=2147483647))
    for name, file in STREAMS.items():
        for kind, spoil in SPOILERS.items():
            yield f"{name}: {kind}", _file(_spoiled(file, spoil))
        image = _real(file)
        image.Rows, image.Columns = 65535, 65535
        yield f"{name}: another size", _file(image)
    yield from _bombs()


def _real(name: str) -> Dataset:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    image: Dataset = dcmread(path)
    image.SOPInstanceUID = new_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = new_uid(), new_uid()
    return image


def _plain(**values: Any) -> Dataset:
    image = _real(PLAIN)
    for keyword, value in values.items():
        setattr(image, keyword, value)
    return image


def _file(image: Dataset) -> bytes:
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    buffer = io.BytesIO()
    image.save_as(buffer)
    return buffer.getvalue()


def _spoiled(file: str, spoil: Callable[[bytes], bytes]) -> Dataset:
    image = _real(file)
    frame = next(generate_frames(image.PixelData, number_of_frames=1))
    image.PixelData = encapsulate([spoil(frame)])
    return image


def _cut(stream: bytes) -> bytes:
    return stream[: len(stream) // 3]


def _flipped(stream: bytes) -> bytes:
    made, dice = bytearray(stream), random.Random(7)
    for _ in range(40):
        made[dice.randrange(len(made))] ^= 1 << dice.randrange(8)
    return bytes(made)


def _emptied(_stream: bytes) -> bytes:
    return b"\0\0"


def _enlarged(stream: bytes) -> bytes:
    """In the stream itself: SIZ of JPEG 2000, SOF of the other JPEGs, segments of RLE."""
    if stream.startswith(b"\xff\x4f\xff\x51"):
        return stream[:8] + struct.pack(">LL", 0x7FFFFFFF, 0x7FFFFFFF) + stream[16:]
    for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xf7"):
        if (at := stream.find(marker)) >= 0:
            return stream[: at + 5] + struct.pack(">HH", 65500, 65500) + stream[at + 9 :]
    return struct.pack("<16L", 15, *range(64, 0xFFFFFFFF, 0x11111111)[:15]) + stream[64:]


SPOILERS = {"cut off": _cut, "bits flipped": _flipped, "empty": _emptied, "huge inside": _enlarged}


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "palette that never ends", _file(_segmented_palette())
    palette = _real(PALETTE)
    palette.RedPaletteColorLookupTableDescriptor = [65535, 0, 16]
    yield "palette that lies", _file(palette)
    yield "table without entries", _file(_plain(ModalityLUTSequence=[_table([0, 0, 16], b"")]))
    yield "table cut off", _file(_plain(VOILUTSequence=[_table([65535, 0, 16], b"\0\1")]))
    yield "overlay as large as memory", _file(_overlay())
    yield "inflates to gigabytes", _deflated()
    yield "nested without end", _file(_nested())


def _segmented_palette() -> Dataset:
    """Each six bytes of it stand for 65535 entries (PS3.3 C.7.9.2)."""
    image = _plain(PhotometricInterpretation="PALETTE COLOR")
    words = struct.pack("<3H", 1, 65535, 0) * 10_000
    for colour in ("Red", "Green", "Blue"):
        image.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [0, 0, 16])
        image.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", words)
    return image


def _table(descriptor: list[int], data: bytes) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", data)
    return item


def _overlay() -> Dataset:
    image = _plain()
    image.add_new(0x60000010, "US", 65535)
    image.add_new(0x60000011, "US", 65535)
    image.add_new(0x60000015, "IS", "65535")
    image.add_new(0x60000050, "SS", [-32768, -32768])
    image.add_new(0x60000100, "US", 1)
    image.add_new(0x60003000, "OW", b"\xff\xff")
    return image


def _deflated() -> bytes:
    """A data set whose pixels inflate to more than is taken."""
    image = ct_image(Rows=40000, Columns=40000)
    whole = part10(image, syntax=DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(whole[140:144], "little")
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(whole[start:])
    front = plain[: plain.rindex(b"\xe0\x7f\x10\x00")]
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    made = [engine.compress(front + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<L", 0xBEBC2000))]
    made += [engine.compress(bytes(1 << 24)) for _ in range(100)]
    return whole[:start] + b"".join(made) + engine.flush()


def _nested() -> Dataset:
    image = _plain()
    item = Dataset()
    item.PatientComments = "deep"
    for _ in range(60):
        above = Dataset()
        above.RequestAttributesSequence = [copy.copy(item)]
        item = above
    image.RequestAttributesSequence = [item]
    return image
