"""Data sets of requests and responses that are not images: read with limits, written."""

import struct
from io import BytesIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.dicom.encoding import encoded

MAX_DEPTH = 64
# Elements and items of one data set: a commitment request of 30,000 images has as many. Each
# costs up to a kilobyte and 60 microseconds, and may be as short as eight bytes.
MAX_ELEMENTS = 100_000
# By preference. (implicit VR, little endian)
ENCODINGS = {
    str(ExplicitVRLittleEndian): (False, True),
    str(ImplicitVRLittleEndian): (True, True),
    str(ExplicitVRBigEndian): (False, False),
}


LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
DELIMITERS, ITEM, UNDEFINED = 0xFFFE, (0xFFFE, 0xE000), 0xFFFFFFFF


class UnreadableError(ValueError):
    """The bytes are no data set of the negotiated transfer syntax, or nested too deeply."""


def decode(raw: bytes, transfer_syntax: str, *, max_depth: int = MAX_DEPTH) -> Dataset:
    """A data set, read to its last sequence item; raises UnreadableError."""
    implicit, little = ENCODINGS[transfer_syntax]
    try:
        _check_count(raw, implicit=implicit, order="<" if little else ">")
        dataset = read_dataset(BytesIO(raw), implicit, little)
        _visit(dataset, max_depth)
    except UnreadableError:
        raise
    except (RecursionError, MemoryError):
        raise UnreadableError("nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - the parser raises whatever bytes make it raise
        raise UnreadableError(type(error).__name__) from None
    return dataset


def encode(dataset: Dataset, transfer_syntax: str) -> bytes:
    """The bytes of a data set; texts in its Specific Character Set."""
    implicit, little = ENCODINGS[transfer_syntax]
    return encoded(dataset, implicit_vr=implicit, little_endian=little)


def _check_count(raw: bytes, *, implicit: bool, order: str) -> None:
    """Raises UnreadableError for too many elements, before any of them is made."""
    tag, short, long = (struct.Struct(f"{order}{code}") for code in ("HH", "H", "L"))
    position = 0
    for _ in range(MAX_ELEMENTS):
        if position + 8 > len(raw):
            return
        group, _element = tag.unpack_from(raw, position)
        vr = raw[position + 4 : position + 6]
        if implicit or group == DELIMITERS:
            (length,) = long.unpack_from(raw, position + 4)
            position += 8
        elif vr in LONG_VRS:
            (length,) = long.unpack_from(raw, position + 8)
            position += 12
        else:
            (length,) = short.unpack_from(raw, position + 6)
            position += 8
        if not _holds_items(raw, position, group, length, tag):
            position += length
    raise UnreadableError("too many elements")


def _holds_items(raw: bytes, position: int, group: int, length: int, tag: struct.Struct) -> bool:
    """Is this an item, or does what begins here look like items? Then they are counted too."""
    if group == DELIMITERS or length == UNDEFINED:
        return True
    return length >= 8 and len(raw) - position >= 8 and tag.unpack_from(raw, position) == ITEM


def _visit(dataset: Dataset, depth: int) -> None:
    """Reading is lazy: ask for every value once, so that nothing fails later."""
    if depth < 0:
        raise UnreadableError("nested too deeply")
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _visit(item, depth - 1)
        elif element.VR == "UN" and element.value and _has_short_vr(element.tag):
            dataset[element.tag] = _named(element)


def _has_short_vr(tag: int) -> bool:
    """Is it an attribute whose length has two bytes in explicit VR?"""
    return dictionary_has_tag(tag) and dictionary_VR(tag).encode() not in LONG_VRS


def _named(element: DataElement) -> DataElement:
    """An element that had to be written as UN, as its value is longer than 64 KiB (PS3.5 6.2.2).

    A list of a thousand UIDs is. The value is in little endian (PS3.5 6.2.2, note 2).
    """
    raw = RawDataElement(
        element.tag, dictionary_VR(element.tag), len(element.value), element.value, 0, True, True
    )
    return convert_raw_data_element(raw)
