"""Bulk data: large values that metadata only point to (PS3.18 10.4.1.1.5)."""

import io
import struct
from collections.abc import Iterator

import orjson
import zstandard
from django.http import Http404
from pydicom import dcmread

from apps.dicom.header import NOT_IN_FILE, WalkError, explicit
from apps.dicom.json import find_value
from apps.dicomweb.metadata import instance_text
from apps.dicomweb.negotiation import OCTETS
from apps.dicomweb.parts import Part, held_part, stored_part
from apps.studies.models import Instance
from apps.studies.storage import stored_files

_ENCAPSULATED_DOCUMENT = "00420011"
# PS3.3 table C.24-2: what may be encapsulated. Never served as HTML or SVG.
_DOCUMENTS = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
}


def bulk_part(instance: Instance, path: str, location: str = "") -> Part:
    """The value at a path such as `00420011` or `54000100/0/54001010`; raises Http404."""
    path = path.upper()
    kind = _DOCUMENTS.get(instance.sop_class_uid, OCTETS) if path == _ENCAPSULATED_DOCUMENT else ""
    kind = kind or OCTETS
    for tag, _, offset, length in instance.bulk_table:
        if f"{tag:08X}" == path:
            if offset == NOT_IN_FILE:
                return held_part(_decoded(instance, tag), kind, location)
            return stored_part(instance.file_name, [offset, length], kind, location)
    try:
        found = find_value(
            zstandard.decompress(instance.header),
            path,
            explicit_vr=explicit(instance.transfer_syntax_uid),
        )
    except (WalkError, struct.error):
        found = None
    if found is None:
        raise Http404
    return held_part(found[1], kind, location)


def bulk_locations(instance: Instance, root: str) -> Iterator[tuple[str, str]]:
    """Path and address of every value that the metadata of an instance point to."""
    yield from _pointed_to(orjson.loads(instance_text(instance, root)))


def _pointed_to(dataset: dict[str, dict[str, object]]) -> Iterator[tuple[str, str]]:
    for element in dataset.values():
        if uri := str(element.get("BulkDataURI", "")):
            yield uri.partition("/bulkdata/")[2], uri
        values = element.get("Value")
        if element["vr"] == "SQ" and isinstance(values, list):
            for item in values:
                yield from _pointed_to(item)


def _decoded(instance: Instance, tag: int) -> bytes:
    with stored_files().open(instance.file_name) as file:
        value = dcmread(io.BytesIO(file.read()), specific_tags=[tag])[tag].value
    return value if isinstance(value, bytes) else str(value).encode()
