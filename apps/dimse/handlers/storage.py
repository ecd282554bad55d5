"""C-STORE (PS3.4 annex B): bytes from the connection to the spool, success when durable."""

import time
from collections.abc import Iterable, Iterator, Sequence

from apps.dicom.part10 import ENOUGH, begins_as_data_set, file_meta, leading_uids
from apps.dicom.uids import LONGEST_SENT, valid_uid
from apps.dimse.association import Association, Request
from apps.dimse.identifiers import UnreadableError
from apps.dimse.status import COERCED, InvalidInstanceError, MismatchError
from apps.studies.room import require_room
from apps.studies.services import coerces
from apps.studies.spool import default_spool
from apps.studies.tasks import nudge

ANNOUNCE_FILES, ANNOUNCE_SECONDS = 50, 0.5
REMEMBERED = 5000


def store(request: Request) -> None:
    """Answers 0x0000 only after the file would survive a power failure."""
    command, association = request.command, request.association
    if not valid_uid(command.sop_instance_uid, longest=LONGEST_SENT):
        raise InvalidInstanceError("SOP Instance UID")
    if command.sop_class_uid != request.context.abstract_syntax:
        raise MismatchError("SOP class of the command and of the presentation context")
    require_room()
    path = default_spool().write_batches(_file(request))
    association.stored.append(path)
    association.unannounced.append(path.name)
    request.respond(COERCED if coerces(association.device.ae_title) else 0)
    announce(association, at_least=ANNOUNCE_FILES)


def announce(association: Association, *, at_least: int = 1) -> None:
    """Nudge the indexing of the files stored since the last time.

    A lost nudge loses nothing: the file is the queue, and a sweep finds it.
    """
    late = time.monotonic() - association.announced_at > ANNOUNCE_SECONDS
    if not association.unannounced or (len(association.unannounced) < at_least and not late):
        return
    names, association.unannounced = association.unannounced, []
    association.announced_at = time.monotonic()
    del association.stored[:-REMEMBERED]
    nudge(names)


def wait_until_indexed(association: Association) -> None:
    """So that a query after the release sees what was sent; bounded."""
    announce(association)
    if association.stored:
        seconds = association.wire.limits.indexing_seconds
        default_spool().wait_until_taken(association.stored, seconds)


def _file(request: Request) -> Iterator[Sequence[bytes | memoryview]]:
    """The PS3.10 file; raises MismatchError when the data set is another object."""
    command = request.command
    batches = request.batches()
    first = next(batches, [])
    _check(_head(first), request)
    meta = file_meta(
        sop_class=command.sop_class_uid,
        sop_instance=command.sop_instance_uid,
        transfer_syntax=request.context.transfer_syntax,
        source=request.association.device.ae_title,
    )
    yield [meta, *first]
    yield from batches


def _head(pieces: Iterable[memoryview]) -> bytes:
    """Enough of the data set to see which object it is."""
    head = b""
    for piece in pieces:
        head += piece[:ENOUGH]
        if len(head) >= ENOUGH:
            break
    return head[:ENOUGH]


def _check(head: bytes, request: Request) -> None:
    command = request.command
    syntax = request.context.transfer_syntax
    found = leading_uids(head, syntax)
    if found is None and not begins_as_data_set(head, syntax):
        raise UnreadableError("no data set of its transfer syntax")
    if found is None:
        raise MismatchError("no SOP Class and Instance UID at the front of the data set")
    if found != (command.sop_class_uid, command.sop_instance_uid):
        raise MismatchError("SOP Class or Instance UID of the command and of the data set")
