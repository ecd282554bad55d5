"""ZIP files of other people, read one entry after the other within limits.

Nothing is ever written under a name from inside; entries are streams of bytes.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

CHUNK = 1 << 20
MOST_FILES = 20_000
MOST_BYTES = 64 << 30  # of all entries together, unpacked
MOST_RATIO = 200  # of unpacked to packed, where it is more than a few bytes
_FEW = 10 << 20


class BadArchiveError(ValueError):
    """The archive is not taken at all; the message says why, in plain words."""


class BadEntryError(ValueError):
    """This entry is not taken; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One file of the archive: its name, for showing only, and its bytes as they are read."""

    name: str
    chunks: Iterator[bytes]


def entries(path: Path) -> Iterator[Entry]:
    """The files of an archive; raises BadArchiveError at the first step, and when a limit is met.

    Reading the chunks of an entry may raise BadEntryError.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise BadArchiveError(_("This ZIP file is damaged.")) from None
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        _check(infos, path.stat().st_size)
        budget = _Budget(MOST_BYTES)
        for info in infos:
            yield Entry(info.filename, _read(archive, info, budget))


@dataclass
class _Budget:
    """Bytes that may still be unpacked, whatever the archive says of itself."""

    left: int


def _check(infos: list[zipfile.ZipInfo], packed: int) -> None:
    if len(infos) > MOST_FILES:
        raise BadArchiveError(_("This ZIP file holds too many files."))
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MOST_BYTES or (unpacked > _FEW and unpacked > MOST_RATIO * packed):
        raise BadArchiveError(_("This ZIP file would become too large when it is unpacked."))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    _refuse(info)
    done = 0
    try:
        with archive.open(info) as file:
            while chunk := file.read(CHUNK):
                done += len(chunk)
                budget.left -= len(chunk)
                if done > info.file_size or budget.left < 0:
                    raise BadEntryError(_("larger than the ZIP file says"))
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise BadEntryError(_("damaged in the ZIP file")) from None


def _refuse(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BadEntryError(_("a link, not a file"))
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise BadEntryError(_("a file with a path that leads out of the ZIP file"))
    if info.flag_bits & 1:
        raise BadEntryError(_("protected by a password"))
    if info.file_size > _FEW and info.file_size > MOST_RATIO * max(info.compress_size, 1):
        raise BadEntryError(_("it would become too large when it is unpacked"))
