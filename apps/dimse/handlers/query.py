"""C-FIND on patients, studies, series and instances (PS3.4 C.4.1)."""

from apps.dimse.association import Request
from apps.dimse.status import UnrecognizedOperationError


def find_studies(request: Request) -> None:
    """Pending answers, then success; ended early by a C-CANCEL."""
    raise UnrecognizedOperationError
