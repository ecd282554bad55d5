"""What a process of the workshop can be asked to show; all in words that parcels take."""

import warnings
from collections.abc import Sequence
from typing import Any

from apps.dicom.rendering.colour import picture_of
from apps.dicom.rendering.drawing import drawn, encoded_picture
from apps.dicom.rendering.options import RenderingError, RenderOptions
from apps.dicom.rendering.overlays import with_overlays
from apps.dicom.rendering.reading import Frame, read_frame

__all__ = ["RenderingError", "picture", "prepare"]

Made = tuple[dict[str, Any], list[bytes]]


def prepare(*, films: bool) -> None:
    """Import and read what is needed later, when nothing can be opened any more."""


def picture(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """One frame as a file of the media type asked for."""
    options = RenderOptions.from_words(arguments["options"])
    with warnings.catch_warnings(action="ignore"):
        frame = read_frame(arguments, contents)
        return {}, [_encoded(frame, options)]


def _encoded(frame: Frame, options: RenderOptions) -> bytes:
    levels = picture_of(frame, options.window)
    if options.overlays:
        levels = with_overlays(levels, frame)
    image = drawn(levels, frame, options.viewport)
    return encoded_picture(image, options, None)


def film(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    raise RenderingError("no films yet")


def report(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    raise RenderingError("no reports yet")
