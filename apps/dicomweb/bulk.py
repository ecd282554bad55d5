"""Bulk data: large values that metadata only point to (PS3.18 10.4.1.1.5)."""

import io

import zstandard
from django.http import Http404
from pydicom import dcmread

from apps.dicom.header import NOT_IN_FILE, explicit
from apps.dicom.json import find_value
from apps.dicomweb.multipart import Part
from apps.dicomweb.negotiation import OCTETS
from apps.dicomweb.pixels import bytes_part, range_part
from apps.studies.models import Instance
from apps.studies.storage import stored_files

_ENCAPSULATED_DOCUMENT = 0x00420011
# PS3.3 table C.24-2: what may be encapsulated. Never served as HTML or SVG.
_DOCUMENTS = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
}


def bulk_part(instance: Instance, path: str) -> Part:
    """The value at a path such as `00420011` or `54000100/0/54001010`; raises Http404."""
    content_type = OCTETS
    for tag, _, offset, length in instance.bulk_table:
        if f"{tag:08X}" == path.upper():
            if tag == _ENCAPSULATED_DOCUMENT:
                content_type = _DOCUMENTS.get(instance.sop_class_uid, OCTETS)
            if offset == NOT_IN_FILE:
                return bytes_part(_decoded(instance, tag), content_type)
            return range_part(instance.file_name, offset, length, content_type)
    found = find_value(
        zstandard.decompress(instance.header),
        path,
        explicit_vr=explicit(instance.transfer_syntax_uid),
    )
    if found is None:
        raise Http404
    if path.upper() == f"{_ENCAPSULATED_DOCUMENT:08X}":
        content_type = _DOCUMENTS.get(instance.sop_class_uid, OCTETS)
    return bytes_part(found[1], content_type)


def _decoded(instance: Instance, tag: int) -> bytes:
    with stored_files().open(instance.file_name) as file:
        value = dcmread(io.BytesIO(file.read()), specific_tags=[tag])[tag].value
    return value if isinstance(value, bytes) else str(value).encode()
