"""An image of a disc to burn: ISO 9660 with Joliet and UDF, for readers of every age."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from pycdlib import PyCdlib

from apps.exports.members import Member

VOLUME = "OPENPACS"


class _Source:
    """The bytes of a member as a file that is read from its beginning to its end."""

    mode = "rb"

    def __init__(self, member: Member) -> None:
        self._member = member
        self._pieces: Iterator[bytes] = iter(())
        self._rest = b""
        self._position = 0

    def seek(self, position: int, whence: int = 0) -> int:
        """Only to the beginning, which opens it, or to where it is."""
        if whence or position not in (0, self._position):
            raise OSError("a member is read in order")
        if position == 0:
            self._pieces, self._rest = self._member.chunks(), b""
            self._position = 0
        return position

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        found, self._rest = self._rest[:size], self._rest[size:]
        self._position += len(found)
        return found


def burn(members: Iterable[Member], target: BinaryIO) -> None:
    """Write members, whose sizes must be known, as the image of a disc.

    Names are capitals, eight letters and three, as ISO 9660 level 1 has them.
    """
    disc = PyCdlib()
    disc.new(interchange_level=1, joliet=3, udf="2.60", vol_ident=VOLUME)
    folders: set[str] = set()
    try:
        for member in members:
            if member.size is None:
                raise ValueError(f"{member.name}: of unknown size")
            _make_folders(disc, member.name, folders)
            path = f"/{member.name}"
            plain = path if "." in member.name.rpartition("/")[2] else f"{path}."
            disc.add_fp(
                cast("BinaryIO", _Source(member)),
                member.size,
                f"{plain};1",
                joliet_path=path,
                udf_path=path,
            )
        disc.write_fp(target)
    finally:
        disc.close()


def _make_folders(disc: PyCdlib, name: str, made: set[str]) -> None:
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        path = "/" + "/".join(parts[:depth])
        if path not in made:
            made.add(path)
            disc.add_directory(path, joliet_path=path, udf_path=path)
