"""Picture files of cameras and screens, as the pixels or the code stream of a DICOM object."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

from apps.dicom.codestreams import JPEG_BASELINE, Codestream, CodestreamError, read_codestream
from apps.dicom.rendering.options import RenderingError

LARGEST = 100_000_000  # pixels
_REMARKS = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})  # EXIF, XMP, comments: may name people
_ORIENTATION = 0x0112
_QUALITY = 92  # of pictures written anew: once more hardly shows


@dataclass(frozen=True)
class Kind:
    """What a file is, by its first bytes."""

    media_type: str
    marks: tuple[bytes, ...]


_KINDS = (
    Kind("image/jpeg", (b"\xff\xd8\xff",)),
    Kind("image/png", (b"\x89PNG\r\n\x1a\n",)),
    Kind("application/pdf", (b"%PDF-",)),
    Kind("application/zip", (b"PK\x03\x04", b"PK\x05\x06")),
)


def kind_of(head: bytes) -> str:
    """The media type by the first 132 bytes; empty for what is none of those that are known."""
    if head[128:132] == b"DICM":
        return "application/dicom"
    return next((kind.media_type for kind in _KINDS if head.startswith(kind.marks)), "")


def jpeg_as_it_is(content: bytes) -> tuple[Codestream, bytes] | None:
    """A baseline JPEG and what its header says, without remarks; None where it must be decoded.

    Nothing is decoded here.
    """
    try:
        found = read_codestream("image/jpeg", content)
        bare, turned = _without_remarks(content)
    except (CodestreamError, struct.error):
        return None
    usable = found.transfer_syntax_uid == JPEG_BASELINE and found.bits == 8 and not turned
    return (found, bare) if usable else None


def pixels(
    _arguments: dict[str, Any], contents: Sequence[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """A job of the workbench: a JPEG or PNG as 8-bit grey or RGB pixels, upright."""
    Image.MAX_IMAGE_PIXELS = LARGEST // 2  # twice as much is an error there
    with Image.open(io.BytesIO(contents[0]), formats=["JPEG", "PNG"]) as opened:
        upright = ImageOps.exif_transpose(opened)
        grey = upright.mode in ("1", "L", "I;16", "I")
        if upright.mode in ("I;16", "I"):
            upright = upright.point(lambda value: value / 256).convert("L")
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            upright = _on_white(upright.convert("RGBA"))
        made = upright.convert("L" if grey else "RGB")
    words = {"rows": made.height, "columns": made.width, "samples": 1 if grey else 3}
    return words, [made.tobytes()]


def clean(
    arguments: dict[str, Any], contents: Sequence[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """A job of the workbench: a JPEG or PNG written anew, its pixels and nothing else.

    The longer side has `most_side` pixels at most; remarks, profiles and what follows the
    picture are gone. Refused by its header, before a pixel is decoded: one of over
    `most_pixels`, or with a side of less than `least_side`.
    """
    with Image.open(io.BytesIO(contents[0]), formats=["JPEG", "PNG"]) as opened:
        if opened.width * opened.height > arguments["most_pixels"]:
            raise RenderingError("a picture of too many pixels")
        if min(opened.size) < arguments["least_side"]:
            raise RenderingError("a picture of too few pixels")
        form = opened.format
        seen = opened.convert("RGBA") if "transparency" in opened.info else opened
        made = _on_white(seen) if seen.mode in ("RGBA", "LA") else seen.convert("RGB")
    made.thumbnail((arguments["most_side"], arguments["most_side"]))
    target = io.BytesIO()
    made.save(target, form, **({"quality": _QUALITY} if form == "JPEG" else {}))
    media_type = "image/jpeg" if form == "JPEG" else "image/png"
    words = {"width": made.width, "height": made.height, "media_type": media_type}
    return words, [target.getvalue()]


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _without_remarks(content: bytes) -> tuple[bytes, bool]:
    """The file without the segments that are no picture; was it held upright otherwise?"""
    kept, position, turned = [content[:2]], 2, False
    while position + 4 <= len(content):
        marker = content[position + 1]
        (length,) = struct.unpack_from(">H", content, position + 2)
        segment = content[position : position + 2 + length]
        if content[position] != 0xFF or marker == 0xDA:
            break
        if marker in _REMARKS:
            turned = turned or _is_turned(marker, segment[4:])
        else:
            kept.append(segment)
        position += 2 + length
    return b"".join([*kept, content[position:]]), turned


def _is_turned(marker: int, remark: bytes) -> bool:
    if marker != 0xE1 or not remark.startswith(b"Exif\0\0"):
        return False
    exif = Image.Exif()
    try:
        exif.load(remark)
        return bool(exif.get(_ORIENTATION, 1) != 1)
    except (SyntaxError, ValueError, struct.error, OSError):
        return True  # not to be read here: the decoder decides
