"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3)."""

from apps.dimse.association import Request
from apps.dimse.status import UnrecognizedOperationError


def move_studies(request: Request) -> None:
    """Send what fits to a configured device, on associations of ours."""
    raise UnrecognizedOperationError


def get_studies(request: Request) -> None:
    """Send what fits back on the association that asked."""
    raise UnrecognizedOperationError
