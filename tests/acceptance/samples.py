"""The files of the public sample data, each with what is expected of us and what to send."""

import csv
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

PREAMBLE = 132
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


@dataclass(frozen=True)
class Sample:
    """One file; `rows` and `frames` are None and 1 where it says nothing."""

    name: str
    expected: str
    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    has_meta: bool
    rows: int | None
    frames: int

    def data_set(self) -> bytes:
        """The bytes behind the File Meta Information, as they are in the file."""
        raw = self.path.read_bytes()
        return raw[behind_meta(raw) :]


def read_samples(folder: Path) -> list[Sample]:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["path"].startswith("dicom/")]
    return [_sample(folder / row["path"], row["path"], row["expected"]) for row in rows]


def behind_meta(raw: bytes) -> int:
    """Where the data set starts; group 2 is explicit VR little endian (PS3.10 7.1)."""
    position = PREAMBLE if raw[128:PREAMBLE] == b"DICM" else 0
    while raw[position : position + 2] == b"\x02\0" and raw[position + 4 : position + 6].isalpha():
        if raw[position + 4 : position + 6] in LONG_VRS:
            position += 12 + struct.unpack_from("<L", raw, position + 8)[0]
        else:
            position += 8 + struct.unpack_from("<H", raw, position + 6)[0]
    return position


def rounds(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Parts in which no SOP Instance UID occurs twice: many encodings share one."""
    parts: list[dict[str, Sample]] = []
    for sample in samples:
        free = next((part for part in parts if sample.sop_instance_uid not in part), None)
        if free is None:
            parts.append(free := {})
        free[sample.sop_instance_uid] = sample
    yield from (list(part.values()) for part in parts)


def _sample(path: Path, name: str, expected: str) -> Sample:
    with warnings.catch_warnings(action="ignore"):
        dataset = dcmread(path, force=True, stop_before_pixels=True)
        meta = dataset.file_meta
        # Where a file names nothing, what a sender would have to make up.
        made_up = f"2.25.{zlib.crc32(name.encode())}"
        return Sample(
            name=name.removeprefix("dicom/"),
            expected=expected,
            path=path,
            sop_class_uid=str(
                dataset.get("SOPClassUID")
                or meta.get("MediaStorageSOPClassUID")
                or SecondaryCaptureImageStorage
            ),
            sop_instance_uid=str(dataset.get("SOPInstanceUID") or made_up),
            transfer_syntax_uid=str(meta.get("TransferSyntaxUID") or _encoding(dataset)),
            has_meta=bool(meta.get("TransferSyntaxUID")),
            rows=dataset.get("Rows") or None,
            frames=_frames(dataset),
        )


def _frames(dataset: FileDataset) -> int:
    written = str(dataset.get("NumberOfFrames") or 1)
    return int(written) if written.isdigit() else 1


def _encoding(dataset: FileDataset) -> str:
    implicit, little = dataset.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little else ExplicitVRBigEndian)
