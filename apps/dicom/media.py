"""Files on interchange media: how they are named, and the DICOMDIR that lists them (PS3.10 8).

The directory is held as the bytes of its records, some 300 for an image, and put together at
the end: what it lists is never read again.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.fileset import DIRECTORY_RECORDERS
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from apps.dicom.encoding import encoded
from apps.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION, new_uid

# Record types of PS3.3 F.5, by what the keyword of the SOP class contains; the first that fits.
_RECORD_TYPES = (
    ("KeyObjectSelection", "KEY OBJECT DOC"),
    ("Encapsulated", "ENCAP DOC"),
    ("PresentationState", "PRESENTATION"),
    ("BasicStructuredDisplay", "PRESENTATION"),
    ("ContentAssessmentResults", "ASSESSMENT"),
    ("RTDose", "RT DOSE"),
    ("RTStructureSet", "RT STRUCTURE SET"),
    ("RTPlanStorage", "RT PLAN"),
    ("RTIonPlanStorage", "RT PLAN"),
    ("TreatmentRecord", "RT TREAT RECORD"),
    ("TreatmentSummaryRecord", "RT TREAT RECORD"),
    ("SpatialFiducials", "FIDUCIAL"),
    ("SpatialRegistration", "REGISTRATION"),
    ("MRSpectroscopy", "SPECTROSCOPY"),
    ("RawData", "RAW DATA"),
    ("RealWorldValueMapping", "VALUE MAP"),
    ("StereometricRelationship", "STEREOMETRIC"),
    ("SurfaceScan", "SURFACE SCAN"),
    ("SurfaceSegmentation", "SURFACE"),
    ("TractographyResults", "TRACT"),
    ("Waveform", "WAVEFORM"),
    ("Electroencephalogram", "WAVEFORM"),
    ("Electromyogram", "WAVEFORM"),
    ("Electrooculogram", "WAVEFORM"),
    ("MeasurementsStorage", "MEASUREMENT"),
    ("SRStorage", "SR DOCUMENT"),
    ("ReportStorage", "SR DOCUMENT"),
    ("ProcedureLogStorage", "SR DOCUMENT"),
    ("TextSR", "SR DOCUMENT"),
    ("EnhancedSR", "SR DOCUMENT"),
    ("ComprehensiveSR", "SR DOCUMENT"),
    ("Comprehensive3DSR", "SR DOCUMENT"),
)
# What records must have (type 1 in PS3.3 F.5) and what stands there where the object has none.
_INVENTED = {
    "PatientID": "UNKNOWN",
    "StudyDate": "19000101",
    "StudyTime": "000000",
    "StudyID": "1",
    "Modality": "OT",
    "SeriesNumber": "0",
    "InstanceNumber": "0",
}
_NEXT, _LOWER = 8, 30  # where the two offsets lie in a record (PS3.3 F.3.2.2)
_ITEM = struct.Struct("<HHL")
_LEVELS = ("PATIENT", "STUDY", "SERIES")


def file_id(*numbers: int) -> str:
    """A name for media from the numbers of study, series and instance (PS3.10 8.2).

    Components of at most eight characters, capitals and digits: never what a header says.
    """
    letters = ("ST", "SE", "IM")
    parts = [f"{letter}{number:06d}" for letter, number in zip(letters, numbers, strict=True)]
    return "/".join(["DICOM", *parts])


def record_type(sop_class_uid: str) -> str:
    """The directory record type of a SOP class; `IMAGE` where nothing else fits."""
    keyword = UID(sop_class_uid).keyword
    return next((kind for part, kind in _RECORD_TYPES if part in keyword), "IMAGE")


@dataclass
class _Node:
    record: bytearray = field(default_factory=bytearray)
    below: "dict[str, _Node]" = field(default_factory=dict)
    offset: int = 0


class Directory:
    """The DICOMDIR of a file-set, filled one object at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._root = _Node()

    def add(self, header: Dataset, name: str, transfer_syntax_uid: str) -> None:
        """List an object under its file ID, the components of which are apart by slashes.

        `header`: its attributes, of which those that records must have are filled in. Raises
        KeyError, ValueError or AttributeError where it does not say what it is.
        """
        filled = _filled(header)
        node = self._root
        keys = (
            f"{filled.PatientID}\n{filled.get('IssuerOfPatientID', '')}",
            str(filled.StudyInstanceUID),
            str(filled.SeriesInstanceUID),
        )
        for level, key in zip(_LEVELS, keys, strict=True):
            if key not in node.below:
                node.below[key] = _Node(_record(level, filled))
            node = node.below[key]
        kind = record_type(str(filled.SOPClassUID))
        leaf = _record(kind, filled, (name, transfer_syntax_uid))
        node.below[str(filled.SOPInstanceUID)] = _Node(leaf)

    def encoded(self) -> bytes:
        """The DICOMDIR as a file."""
        meta = file_front(MediaStorageDirectoryStorage, new_uid(), ExplicitVRLittleEndian)
        size = len(meta) + len(self._front(0, 0))
        end = _place(self._root, size)
        tops = list(self._root.below.values())
        first, last = (tops[0].offset, tops[-1].offset) if tops else (0, 0)
        records = b"".join(_items(self._root))
        front = self._front(first, last, length=end - size)
        return b"".join((meta, front, records))

    def _front(self, first: int, last: int, *, length: int = 0) -> bytes:
        dataset = Dataset()
        dataset.FileSetID = self._name
        dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = first
        dataset.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = last
        dataset.FileSetConsistencyFlag = 0
        sequence = struct.pack("<HH2sHL", 0x0004, 0x1220, b"SQ", 0, length)
        return encoded(dataset, implicit_vr=False) + sequence


def read_front(data: bytes, *, explicit_vr: bool) -> Dataset:
    """A little-endian header of which values are decoded when somebody asks for them."""
    return read_dataset(io.BytesIO(data), not explicit_vr, is_little_endian=True)


def _filled(header: Dataset) -> Dataset:
    for keyword, value in _INVENTED.items():
        if header.get(keyword) in (None, ""):
            setattr(header, keyword, value)
    return header


def _record(kind: str, header: Dataset, file: tuple[str, str] | None = None) -> bytearray:
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = kind
    if file:
        record.ReferencedFileID = file[0].split("/")
        record.ReferencedSOPClassUIDInFile = header.SOPClassUID
        record.ReferencedSOPInstanceUIDInFile = header.SOPInstanceUID
        record.ReferencedTransferSyntaxUIDInFile = file[1]
    if "SpecificCharacterSet" in header:
        record["SpecificCharacterSet"] = header["SpecificCharacterSet"]
    record.update(_keys(kind, header))
    return bytearray(encoded(record, implicit_vr=False))


def _keys(kind: str, header: Dataset) -> Dataset:
    """The keys of a record (PS3.3 F.5); the number alone where the object lacks what it needs."""
    try:
        return DIRECTORY_RECORDERS[kind](header)
    except (ValueError, KeyError, AttributeError):
        return DIRECTORY_RECORDERS["IMAGE"](header)


def _place(node: _Node, position: int) -> int:
    """Give every record below a node its offset; returns where the last one ends."""
    for child in node.below.values():
        child.offset = position
        position = _place(child, position + _ITEM.size + len(child.record))
    return position


def _items(node: _Node) -> Iterator[bytes]:
    children = list(node.below.values())
    following = [*(child.offset for child in children[1:]), 0]  # the last one has none
    for child, after in zip(children, following, strict=False):
        lower = next((one.offset for one in child.below.values()), 0)
        struct.pack_into("<L", child.record, _NEXT, after)
        struct.pack_into("<L", child.record, _LOWER, lower)
        yield _ITEM.pack(0xFFFE, 0xE000, len(child.record))
        yield bytes(child.record)
        yield from _items(child)


def file_front(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """What stands before a data set in a file (PS3.10 7.1): an empty preamble, and who wrote it."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    made = DicomBytesIO()
    made.is_implicit_VR, made.is_little_endian = False, True
    write_file_meta_info(made, meta)
    return b"\0" * 128 + b"DICM" + made.getvalue()
