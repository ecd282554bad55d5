"""DICOM objects for tests: small, valid, every attribute replaceable."""

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from apps.dicom.uids import new_uid


def ct_image(**values: Any) -> Dataset:
    """A CT image of 4 x 6 pixels; keyword arguments replace or, being None, remove attributes."""
    dataset = Dataset()
    defaults: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": new_uid(),
        "StudyDate": "20260517",
        "StudyTime": "101500",
        "AccessionNumber": "A0000001",
        "Modality": "CT",
        "ReferringPhysicianName": "House^Gregory",
        "StudyDescription": "CT of the chest",
        "SeriesDescription": "Axial",
        "PatientName": "Müller^Jörg",
        "PatientID": "P0000001",
        "PatientBirthDate": "19800517",
        "PatientSex": "M",
        "StudyInstanceUID": new_uid(),
        "SeriesInstanceUID": new_uid(),
        "StudyID": "1",
        "SeriesNumber": 2,
        "InstanceNumber": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 4,
        "Columns": 6,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": np.arange(24, dtype="<u2").tobytes(),
    }
    for keyword, value in {**defaults, **values}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def part10(dataset: Dataset, *, syntax: str = ExplicitVRLittleEndian, source: str = "CT1") -> bytes:
    """A dataset as a PS3.10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.SourceApplicationEntityTitle = source
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
