"""Instances in another transfer syntax than the one they are stored in."""

from apps.dicom.transcoding import MIB, MOST_BYTES, TranscodingError
from apps.dicom.workshop import Workshop
from apps.studies.services import Outgoing

_workshop = Workshop()


def transcoded(found: Outgoing, target: str) -> bytes:
    """The data set of an instance in another transfer syntax.

    Raises TranscodingError, and OSError where its file is damaged.
    """
    if found.size > MOST_BYTES:
        raise TranscodingError(f"data set of {found.size // MIB} MiB")
    return _workshop.transcode(b"".join(found.pieces()), found.transfer_syntax_uid, target)
