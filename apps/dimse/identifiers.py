"""Data sets of requests and responses that are not images: read with limits, written."""

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

MAX_DEPTH = 64
# By preference. (implicit VR, little endian)
ENCODINGS = {
    str(ExplicitVRLittleEndian): (False, True),
    str(ImplicitVRLittleEndian): (True, True),
    str(ExplicitVRBigEndian): (False, False),
}


class UnreadableError(ValueError):
    """The bytes are no data set of the negotiated transfer syntax, or nested too deeply."""


def decode(raw: bytes, transfer_syntax: str, *, max_depth: int = MAX_DEPTH) -> Dataset:
    """A data set, read to its last sequence item; raises UnreadableError."""
    implicit, little = ENCODINGS[transfer_syntax]
    try:
        dataset = read_dataset(BytesIO(raw), implicit, little)
        _visit(dataset, max_depth)
    except UnreadableError:
        raise
    except (RecursionError, MemoryError):
        raise UnreadableError("nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - the parser raises whatever bytes make it raise
        raise UnreadableError(type(error).__name__) from None
    return dataset


def encode(dataset: Dataset, transfer_syntax: str) -> bytes:
    """The bytes of a data set; texts in its Specific Character Set."""
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = ENCODINGS[transfer_syntax]
    write_dataset(target, dataset)
    return target.getvalue()


def _visit(dataset: Dataset, depth: int) -> None:
    """Reading is lazy: ask for every value once, so that nothing fails later."""
    if depth < 0:
        raise UnreadableError("nested too deeply")
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _visit(item, depth - 1)
