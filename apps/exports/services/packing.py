"""DICOM files as they go on media: objects with corrections made, a DICOMDIR, a readme.

Nothing is held but the records of the DICOMDIR, which comes behind what it lists.
"""

import logging
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.utils.translation import gettext as _

from apps.dicom.header import WalkError, explicit
from apps.dicom.media import Directory, read_front
from apps.dicom.transcoding import UNCOMPRESSED
from apps.exports.members import Member, text_member
from apps.exports.services.gathering import Placed, placed
from apps.studies.services.outgoing import corrected_header, outgoing_file

log = logging.getLogger(__name__)
FILE_SET = "OPENPACS"
_PREAMBLE = b"\0" * 128
_TIFF = (b"II*\0", b"MM\0*")  # the only preambles that are of use (PS3.10 7.1)


def dicom_members(
    keys: Sequence[int],
    *,
    beside: Callable[[Placed], Iterable[Member]] = lambda _one: (),
    more: str = "",
) -> Iterator[Member]:
    """The files of instances, then their DICOMDIR and a readme.

    `beside`: what goes before each of them; `more`: another paragraph of the readme.
    """
    directory = Directory(FILE_SET)
    for one in placed(keys):
        yield from beside(one)
        yield _file(one, directory)
    yield from closing_members(directory, more=more)


def closing_members(directory: Directory, *, more: str = "") -> Iterator[Member]:
    """What stands beside the objects; `more`: another paragraph of the readme."""
    data = directory.encoded()
    yield Member("DICOMDIR", lambda: iter([data]), len(data), packed=False)
    yield text_member("README.TXT", readme(more))


def list_object(
    directory: Directory, header: bytes, one: Placed, *, syntax: str, explicit_vr: bool
) -> None:
    """Enter an object into the DICOMDIR; a header that says too little is left out of it."""
    try:
        directory.add(read_front(header, explicit_vr=explicit_vr), one.file_id, syntax)
    except (KeyError, ValueError, AttributeError, TypeError, NotImplementedError) as error:
        uid = one.row.sop_instance_uid
        log.warning("%s is not listed in the DICOMDIR (%s)", uid, type(error).__name__)


def readme(more: str = "") -> str:
    """What somebody reads who opens the archive on a PC."""
    parts = [
        _("This folder holds medical images (DICOM)."),
        _(
            "To read them into a viewer or an archive, choose the file DICOMDIR, or the whole"
            " folder. The images themselves lie in the folder DICOM."
        ),
        more,
        _("The images are confidential. Keep them safe, and delete them when you are done."),
    ]
    return "\r\n\r\n".join(part for part in parts if part) + "\r\n"


def _file(one: Placed, directory: Directory) -> Member:
    row = one.row
    syntax = row.transfer_syntax_uid
    try:
        header = corrected_header(row)
    except (WalkError, struct.error):
        header = b""
    list_object(directory, header, one, syntax=syntax, explicit_vr=explicit(syntax))
    size, chunks = outgoing_file(row)
    return Member(one.file_id, _harmless(chunks), size, packed=syntax not in UNCOMPRESSED)


def _harmless(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    """The same file without a preamble that something else than a DICOM reader could run."""

    def changed() -> Iterator[bytes]:
        pieces = iter(chunks())
        first = next(pieces, b"")
        while len(first) < len(_PREAMBLE) and (more := next(pieces, b"")):
            first += more
        keep = first.startswith(_TIFF)
        yield first if keep else _PREAMBLE + first[len(_PREAMBLE) :]
        yield from pieces

    return changed
