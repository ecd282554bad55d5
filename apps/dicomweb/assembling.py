"""PS3.10 files made of metadata and bulk data that came apart (PS3.18 10.5.2).

Large values are pointed to and copied piece by piece; nothing is decoded, and nothing is
fetched from anywhere but the request.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from apps.dicom.codestreams import EXPLICIT_LITTLE
from apps.dicom.encoding import encoded
from apps.dicom.header import MAX_DEPTH
from apps.dicom.json import JsonDataset
from apps.dicom.part10 import file_meta
from apps.dicom.uids import LONGEST_SENT, valid_uid
from apps.dicomweb.bulk_values import (
    Bulk,
    Mismatch,
    PixelBulk,
    described,
    document_attributes,
    pixel_bulk,
)

CANNOT_UNDERSTAND, PROCESSING_FAILURE, MISMATCH = 0xC000, 0x0110, 0xA900
PIXEL_DATA, DOCUMENT = "7FE00010", "00420011"
MAX_VALUE = 16 << 20  # bytes of bulk data other than pixels and documents
_TAG, _VR = re.compile(r"[0-9A-Fa-f]{8}"), re.compile(r"[A-Z]{2}")
_NOT_OURS = ("0002", "FFFE")  # file meta information is made anew
_AVAILABLE_SYNTAX = "00083002"


class AssemblyError(ValueError):
    """No object can be made of this; `reason` is a Failure Reason (0008,1197)."""

    def __init__(self, message: str, reason: int) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Named:
    """What an object says it is, as far as it says it."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""


NAMELESS = Named()


def named(metadata: Any) -> Named:
    """Class and instance UID of metadata, whatever else is wrong with it."""
    if not isinstance(metadata, dict):
        return Named()
    return Named(_uid(metadata, "00080016"), _uid(metadata, "00080018"))


def assemble(metadata: JsonDataset, parts: Mapping[str, Sequence[Bulk]]) -> Iterator[bytes]:
    """The pieces of a PS3.10 file; `parts` are those of the request by Content-Location.

    Raises AssemblyError, before the first piece.
    """
    try:
        dataset = _own(metadata)
        pixels = _taken(dataset, PIXEL_DATA, parts)
        documents = _taken(dataset, DOCUMENT, parts)
        bulk = pixel_bulk(pixels, dataset) if pixels else None
        if bulk:
            described(dataset, bulk)
        if documents:
            document_attributes(dataset, documents[0])
    except Mismatch as error:
        raise AssemblyError(str(error), MISMATCH) from None
    streamed: dict[int, PixelBulk | Bulk] = {}
    if documents:
        streamed[int(DOCUMENT, 16)] = documents[0]
    if bulk:
        streamed[int(PIXEL_DATA, 16)] = bulk
    made = _dataset(dataset, parts)
    syntax = bulk.transfer_syntax_uid if bulk else EXPLICIT_LITTLE
    front = file_meta(
        sop_class=str(made.SOPClassUID),
        sop_instance=str(made.SOPInstanceUID),
        transfer_syntax=syntax,
        source="",
    )
    return _pieces(made, front, streamed)


def _own(metadata: JsonDataset) -> JsonDataset:
    """A copy in order, without what is not part of a data set."""
    _check(metadata, 0)
    made = {
        tag.upper(): deepcopy(element)
        for tag, element in sorted(metadata.items())
        if not tag.startswith(_NOT_OURS) and tag[4:] != "0000" and tag != _AVAILABLE_SYNTAX
    }
    for tag, name in (("00080016", "SOP Class UID"), ("00080018", "SOP Instance UID")):
        if not valid_uid(_uid(made, tag), longest=LONGEST_SENT):
            raise AssemblyError(f"{name} is missing or no UID", CANNOT_UNDERSTAND)
    made["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}  # JSON and XML are in UTF-8
    return made


def _check(metadata: Any, depth: int) -> None:
    if depth > MAX_DEPTH or not isinstance(metadata, dict):
        raise AssemblyError("the metadata is no data set", CANNOT_UNDERSTAND)
    for tag, element in metadata.items():
        if not _TAG.fullmatch(tag) or not isinstance(element, dict):
            raise AssemblyError("the metadata has something that is no tag", CANNOT_UNDERSTAND)
        vr = element.get("vr")
        if not isinstance(vr, str) or not _VR.fullmatch(vr):
            raise AssemblyError("the metadata has an attribute without a VR", CANNOT_UNDERSTAND)
        if not isinstance(element.get("Value", []), list):
            raise AssemblyError("the metadata has a value that is no list", CANNOT_UNDERSTAND)
        if vr == "SQ":
            for item in element.get("Value", []):
                _check(item or {}, depth + 1)


def _uid(metadata: Mapping[str, Any], tag: str) -> str:
    element = metadata.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    return value.strip() if isinstance(value, str) else ""


def _taken(dataset: JsonDataset, tag: str, parts: Mapping[str, Sequence[Bulk]]) -> Sequence[Bulk]:
    """The parts that a top-level value is in, the value taken out of the data set."""
    if "BulkDataURI" not in dataset.get(tag, {}):
        return ()
    return _found(dataset.pop(tag)["BulkDataURI"], parts)


def _found(uri: Any, parts: Mapping[str, Sequence[Bulk]]) -> Sequence[Bulk]:
    found = parts.get(uri) if isinstance(uri, str) else None
    if not found:
        raise AssemblyError("bulk data that is no part of the request", PROCESSING_FAILURE)
    return found


def _dataset(metadata: JsonDataset, parts: Mapping[str, Sequence[Bulk]]) -> Dataset:
    def value_at(_tag: str, _vr: str, uri: str) -> bytes:
        (only, *more) = _found(uri, parts)
        if more or only.size > MAX_VALUE:
            raise AssemblyError("bulk data in several parts, or too much", PROCESSING_FAILURE)
        return only.path.read_bytes()

    try:
        with warnings.catch_warnings(action="ignore"):
            made = Dataset.from_json(metadata, bulk_data_uri_handler=value_at)
            encoded(made, implicit_vr=False)  # values are looked at when they are written
    except AssemblyError:
        raise
    except Exception as error:  # values of other people surface as almost anything
        what = f"the metadata has a value that is none ({type(error).__name__})"
        raise AssemblyError(what, CANNOT_UNDERSTAND) from error
    return made


def _pieces(
    dataset: Dataset, front: bytes, streamed: Mapping[int, PixelBulk | Bulk]
) -> Iterator[bytes]:
    yield front
    done = 0
    for tag, bulk in streamed.items():
        yield _between(dataset, done, tag)
        yield from bulk.element(tag)
        done = tag + 1
    yield _between(dataset, done, 1 << 32)


def _between(dataset: Dataset, first: int, end: int) -> bytes:
    """The elements from one tag up to another, as bytes."""
    part = Dataset()
    for tag in [one for one in dataset.keys() if first <= one < end]:  # noqa: SIM118 - tags, no elements
        part[tag] = dataset[tag]
    return encoded(part, implicit_vr=False, encodings=["utf-8"])
