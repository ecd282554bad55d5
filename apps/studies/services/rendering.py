"""Pictures of stored instances, made in processes that may die of it (apps/dicom/workshop.py)."""

from typing import Any

from apps.dicom.header import NOT_IN_FILE, explicit
from apps.dicom.rendering.options import JPEG, RenderOptions, Viewport
from apps.dicom.transcoding import MIB
from apps.dicom.workshop import BusyError, JobError, Workshop
from apps.studies.models import Instance
from apps.studies.services.caching import cached
from apps.studies.services.outgoing import corrected_header, outgoing
from apps.studies.storage import stored_files

__all__ = ["BusyError", "NotRenderableError", "RenderOptions", "render", "thumbnail"]

MOST_BYTES = 512 * MIB  # of a data set that has to be read as a whole
MEMORY_BYTES = 2560 * MIB
SECONDS = 20  # of CPU time for one picture
_PALETTES = range(0x00281201, 0x00281224)
_ICC_PROFILE = 0x00282000
_OVERLAYS = range(0x6000, 0x6020, 2)

_workshop = Workshop(seconds=SECONDS, memory_bytes=MEMORY_BYTES)


class NotRenderableError(ValueError):
    """There is no picture of this object; the message says why."""


def render(
    instance: Instance, *, frame: int = 1, options: RenderOptions | None = None
) -> tuple[str, bytes]:
    """One frame, counted from 1, as (media type, file).

    Raises NotRenderableError, BusyError, and OSError where the file is damaged.
    """
    wanted = options or RenderOptions()
    if instance.rows is None:
        raise NotRenderableError("this object is no image")
    if not 1 <= frame <= instance.frames:
        raise NotRenderableError(f"this object has {instance.frames} frames")
    return wanted.media_type, _made(instance, frame, wanted)


def thumbnail(
    instance: Instance, *, frame: int | None = None, width: int = 256, height: int = 256
) -> bytes:
    """A small JPEG of one frame, by default a typical one; kept, so that it is made once.

    Objects that cannot be shown get a drawn sign. Raises BusyError, and OSError where the
    file cannot be read at the moment.
    """
    chosen = frame or (instance.frames + 1) // 2
    name = f"{instance.sha256}-{instance.overlay:x}-{chosen}-{width}x{height}.jpg"
    return cached(name, lambda: _small(instance, chosen, width, height))


def close() -> None:
    """End the processes; the next picture starts new ones."""
    _workshop.close()


def _small(instance: Instance, frame: int, width: int, height: int) -> bytes:
    options = RenderOptions(JPEG, viewport=Viewport(width, height), quality=80)
    return render(instance, frame=frame, options=options)[1]


def _made(instance: Instance, frame: int, options: RenderOptions) -> bytes:
    arguments, contents = _question(instance, frame)
    arguments["options"] = options.words()
    try:
        _, (made,) = _workshop.do("picture", arguments, contents)
    except JobError as error:
        raise NotRenderableError(str(error)) from None
    return made


def _question(instance: Instance, frame: int) -> tuple[dict[str, Any], list[bytes]]:
    """What the workshop needs to make a picture: no more of the file than that."""
    arguments: dict[str, Any] = {
        "syntax": instance.transfer_syntax_uid,
        "frame": frame,
        "whole": False,
        "bulk": [],
    }
    bulk = [row for row in instance.bulk_table if _is_shown(row[0])]
    if instance.frame_table is None or any(row[2] == NOT_IN_FILE for row in bulk):
        return {**arguments, "whole": True}, [_whole(instance)]
    files = stored_files()
    values = [files.read(instance.file_name, offset, length) for _, _, offset, length in bulk]
    arguments["bulk"] = [row[0] for row in bulk]
    arguments["explicit"] = explicit(instance.transfer_syntax_uid)
    return arguments, [corrected_header(instance), _pixels(instance, frame), *values]


def _is_shown(tag: int) -> bool:
    """Is a large value one that pictures are made with?"""
    is_overlay = tag >> 16 in _OVERLAYS and tag & 0xFFFF == 0x3000
    return tag in _PALETTES or tag == _ICC_PROFILE or is_overlay


def _pixels(instance: Instance, frame: int) -> bytes:
    table = instance.frame_table or []
    if frame > len(table):
        raise NotRenderableError("fewer frames than the header says")
    spans = table[frame - 1]
    if sum(spans[1::2]) > MOST_BYTES:
        raise NotRenderableError("its pixels are too large")
    files = stored_files()
    pairs = zip(spans[0::2], spans[1::2], strict=True)
    return b"".join(files.read(instance.file_name, offset, length) for offset, length in pairs)


def _whole(instance: Instance) -> bytes:
    found = outgoing(instance)
    if found.size > MOST_BYTES:
        raise NotRenderableError("its pixels are too large")
    return b"".join(found.pieces())
