"""What goes into an archive: names, and bytes that are fetched when their turn comes."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

# A member is dated alike everywhere: when images were taken is in the images.
_DATED = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    `name`: made by us, with slashes; `chunks`: gives its bytes, once or more often;
    `packed`: compressed already, so that deflating it is in vain.
    """

    name: str
    chunks: Callable[[], Iterator[bytes]]
    size: int | None = None
    packed: bool = True


def text_member(name: str, text: str) -> Member:
    data = text.encode()
    return Member(name, lambda: iter([data]), len(data), packed=False)


class _Outlet(io.RawIOBase):
    """What the ZIP writer writes to: holds the bytes until they are taken away."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # of what the ZIP writer gives
        self._waiting.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)


def zipped(members: Iterable[Member], *, deflate: bool) -> Iterator[bytes]:
    """A ZIP archive as it comes into being, ZIP64 where that is needed.

    `deflate`: make smaller what is not packed, which takes a processor as long as it runs.
    No more than a piece of one member is held at a time. Whoever stops asking stops it all.
    """
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            with archive.open(
                _info(member, deflate), "w", force_zip64=_may_be_large(member)
            ) as target:
                for chunk in member.chunks():
                    target.write(chunk)
                    yield outlet.taken()
            yield outlet.taken()
    yield outlet.taken()


def _info(member: Member, deflate: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(member.name, _DATED)
    info.external_attr = _READABLE
    worth_it = deflate and not member.packed
    info.compress_type = zipfile.ZIP_DEFLATED if worth_it else zipfile.ZIP_STORED
    info._compresslevel = 1  # type: ignore[attr-defined]  # has no public name before 3.13
    return info


def _may_be_large(member: Member) -> bool:
    # Deflated bytes may be a few more than before.
    return member.size is None or member.size > 0xFFFFFFFF // 2
