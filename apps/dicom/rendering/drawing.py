"""From levels to a picture as a browser takes it: region, size, words, encoding."""

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageOps
from pydicom.dataset import Dataset

from apps.dicom.rendering.colour import Picture
from apps.dicom.rendering.grey import group_of
from apps.dicom.rendering.options import GIF, PNG, RenderingError, RenderOptions, Viewport
from apps.dicom.rendering.reading import Frame

_FORMATS = {PNG: "PNG", GIF: "GIF"}
_MOST_STRETCHED = 20.0  # between the sides of a pixel
_RESAMPLING = Image.Resampling.BICUBIC  # takes two thirds of Lanczos's time
_REDUCING_GAP = 2.0  # reduce by whole numbers first, which is quick


def drawn(picture: Picture, frame: Frame, viewport: Viewport | None) -> Image.Image:
    """The picture in its viewport, as large as fits, in the true proportions of its pixels.

    Without a viewport every pixel of the image is one of the picture.
    """
    image = Image.fromarray(picture)
    if viewport is None:
        return image
    box, mirrored, flipped = _region(viewport, *image.size)
    size = _size(viewport, box, _proportion(frame))
    image = image.resize(size, _RESAMPLING, box=box, reducing_gap=_REDUCING_GAP)
    image = ImageOps.mirror(image) if mirrored else image
    return ImageOps.flip(image) if flipped else image


def encoded_picture(image: Image.Image, options: RenderOptions, profile: bytes | None) -> bytes:
    """The file: JPEG of `quality`, else PNG or GIF."""
    target = io.BytesIO()
    form = _FORMATS.get(options.media_type, "JPEG")
    how = {"PNG": {"compress_level": 3}, "JPEG": {"quality": options.quality}}.get(form, {})
    image.save(target, form, icc_profile=profile, **how)
    return target.getvalue()


def encoded_frames(images: Sequence[Image.Image], milliseconds: float) -> bytes:
    """An animated GIF, that repeats."""
    target = io.BytesIO()
    first, *rest = images
    # Browsers take less than 20 ms for a mistake, and are slow then.
    duration = max(round(milliseconds / 10) * 10, 20)
    first.save(target, "GIF", save_all=True, append_images=rest, duration=duration, loop=0)
    return target.getvalue()


def _region(
    viewport: Viewport, columns: int, rows: int
) -> tuple[tuple[float, float, float, float], bool, bool]:
    """Edges of the region within the image, and whether it is mirrored, upside down."""
    box = viewport.region(columns, rows)
    if box is None:
        raise RenderingError("the viewport's region lies outside the image")
    return box, (viewport.region_width or 0) < 0, (viewport.region_height or 0) < 0


def _size(
    viewport: Viewport, box: tuple[float, float, float, float], proportion: float
) -> tuple[int, int]:
    """Width and height that fit."""
    width, height = box[2] - box[0], (box[3] - box[1]) * proportion
    scale = min(viewport.width / width, viewport.height / height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _proportion(frame: Frame) -> float:
    """Height of a pixel in widths of it (PS3.3 C.7.6.3.1.7, 10.7.1.3)."""
    measures = group_of(frame, "PixelMeasuresSequence")
    for scope in (measures, frame.dataset):
        for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
            if scope is not None and (found := _ratio(scope, name)):
                return found
    return 1.0


def _ratio(scope: Dataset, name: str) -> float | None:
    values = scope.get(name)
    try:
        height, width = (float(one) for one in values or ())
        ratio = height / width
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    good = math.isfinite(ratio) and 1 / _MOST_STRETCHED <= ratio <= _MOST_STRETCHED
    return ratio if good else None
