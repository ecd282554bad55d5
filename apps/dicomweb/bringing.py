"""From the parts of a STOW-RS request to PS3.10 files on the disk, one for each object."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.core.exceptions import RequestDataTooBig

from apps.dicom.json import JsonDataset
from apps.dicom.reading_xml import XmlError, read_native_xml
from apps.dicomweb.assembling import NAMELESS, AssemblyError, Named, assemble, named
from apps.dicomweb.bulk_values import Bulk
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.uploads import DICOM, JSON, UploadedPart, UploadedParts
from apps.studies.spool import Stage

MAX_METADATA = 64 << 20  # bytes of a request, in all


@dataclass(frozen=True)
class Brought:
    """One object of the request: its file, or why there is none (`reason`, see assembling, and
    the same in words)."""

    path: Path | None
    name: Named = NAMELESS
    reason: int = 0
    words: str = ""


def bring(parts: UploadedParts, stage: Stage) -> list[Brought]:
    """Raises BadRequestError, UnsupportedMediaError, RequestDataTooBig, OSError."""
    if parts.kind == DICOM:
        brought = [Brought(stage.keep(part.chunks)) for part in parts]
    else:
        brought = _assembled(parts, stage)
    if not brought:
        raise BadRequestError("no parts")
    return brought


def _assembled(parts: UploadedParts, stage: Stage) -> list[Brought]:
    metadata: list[JsonDataset] = []
    bulk: dict[str, list[Bulk]] = {}
    room = MAX_METADATA
    for part in parts:
        if part.media_type == parts.kind:
            document = _whole(part, room)
            room -= len(document)
            metadata += _read(parts.kind, document)
        else:
            bulk.setdefault(part.location, []).append(_kept(part, stage))
    return [_file(one, bulk, stage) for one in metadata]


def _kept(part: UploadedPart, stage: Stage) -> Bulk:
    if not part.location:
        raise BadRequestError("a part of bulk data without Content-Location")
    path = stage.put_by(part.chunks)
    return Bulk(path, part.media_type, part.transfer_syntax, path.stat().st_size)


def _whole(part: UploadedPart, room: int) -> bytes:
    made = bytearray()
    for chunk in part.chunks:
        made += chunk
        if len(made) > room:
            raise RequestDataTooBig(f"more than {MAX_METADATA} bytes of metadata")
    return bytes(made)


def _read(kind: str, document: bytes) -> list[Any]:
    """Data sets in DICOM JSON: an array of them, or one XML document."""
    try:
        if kind != JSON:
            return [read_native_xml(document)]
        found = orjson.loads(document)
    except XmlError as error:
        raise BadRequestError(f"metadata: {error}") from None
    except orjson.JSONDecodeError:
        raise BadRequestError("metadata: not well-formed JSON") from None
    if not isinstance(found, list):
        raise BadRequestError("metadata: not an array of data sets")
    return found


def _file(metadata: Any, bulk: dict[str, list[Bulk]], stage: Stage) -> Brought:
    try:
        return Brought(stage.keep(assemble(metadata, bulk)))
    except AssemblyError as error:
        return Brought(None, named(metadata), error.reason, str(error))
