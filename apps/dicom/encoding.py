"""Datasets of pydicom as bytes (PS3.5 section 7)."""

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset


def encoded(dataset: Dataset, *, implicit_vr: bool, little_endian: bool = True) -> bytes:
    """A data set without preamble and file meta information, not deflated."""
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = implicit_vr, little_endian
    write_dataset(target, dataset)
    return target.getvalue()
