"""Instances on their way out: the stored bytes, with what was corrected since.

Every way out asks here (query, retrieve, DICOMweb, export), so that a correction is seen
everywhere or nowhere. An instance without corrections is passed on byte for byte.
"""

import logging
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zstandard

from apps.dicom.header import WalkError, explicit
from apps.dicom.json import JsonDataset, to_json
from apps.studies.models import Instance
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)
CHUNK = 1 << 20
_FRONT = 144  # preamble, `DICM` and the group length element: the meta information follows


@dataclass(frozen=True)
class Outgoing:
    """One instance as it is to be sent: its data set, without preamble and file meta.

    `pieces` gives the data set in order, in `transfer_syntax_uid`; `size` is its length.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def outgoing(instance: Instance) -> Outgoing:
    """The data set of an instance to be sent; raises OSError where its file is damaged."""
    start = _dataset_offset(instance.file_name)
    return Outgoing(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        size=instance.size - start,
        pieces=lambda: _pieces(instance.file_name, start, instance.size),
    )


def header_json(instance: Instance, bulk_uri: Callable[[str], str]) -> JsonDataset:
    """The attributes of an instance as DICOM JSON, without its pixel data.

    `bulk_uri(path)` gives the address of a value that is left out for its size.
    """
    try:
        return to_json(
            zstandard.decompress(instance.header),
            explicit_vr=explicit(instance.transfer_syntax_uid),
            bulk_uri=bulk_uri,
            bulk_tags={tag: vr for tag, vr, _, _ in instance.bulk_table},
        )
    except (WalkError, struct.error):
        # Damaged below the top level: one bad image must not hide its series.
        log.warning("The header of %s cannot be read whole", instance.sop_instance_uid)
        return {
            "00080016": {"vr": "UI", "Value": [instance.sop_class_uid]},
            "00080018": {"vr": "UI", "Value": [instance.sop_instance_uid]},
        }


def _dataset_offset(name: str) -> int:
    front = stored_files().read(name, 0, _FRONT)
    if front[128:140] != b"DICM\x02\0\0\0UL\x04\0":
        raise OSError("no file meta information where it should be")
    return _FRONT + int.from_bytes(front[140:144], "little")


def _pieces(name: str, start: int, end: int) -> Iterator[bytes]:
    files = stored_files()
    for offset in range(start, end, CHUNK):
        yield files.read(name, offset, min(CHUNK, end - offset))
