"""Datasets of pydicom as bytes (PS3.5 section 7)."""

from collections.abc import Sequence

from pydicom.charset import default_encoding
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian


def encoded(
    dataset: Dataset,
    *,
    implicit_vr: bool,
    little_endian: bool = True,
    encodings: Sequence[str] = (default_encoding,),
) -> bytes:
    """A data set without preamble and file meta information, not deflated.

    `encodings`: Python's names of those its texts are in where it does not say so itself.
    """
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = implicit_vr, little_endian
    write_dataset(target, dataset, parent_encoding=list(encodings))
    return target.getvalue()


def reencoded(dataset: Dataset, *, implicit_vr: bool) -> bytes:
    """The same in little endian, of a data set that may have been read in another VR form."""
    for _ in dataset.iterall():
        pass  # raw elements cannot change their VR form: decode them all first
    return encoded(dataset, implicit_vr=implicit_vr)


def syntax_of(dataset: Dataset) -> str:
    """The transfer syntax that a file was read in: the announced one, else what it shows."""
    if announced := str(dataset.file_meta.get("TransferSyntaxUID", "")):
        return announced
    implicit, little = dataset.original_encoding
    if not little:
        return str(ExplicitVRBigEndian)
    return str(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
