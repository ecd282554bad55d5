"""What a process of the workshop can be asked to show; all in words that parcels take."""

import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from pydicom.dataset import Dataset

from apps.dicom.rendering.annotating import annotated, read_fonts
from apps.dicom.rendering.annotating import sign as drawn_sign
from apps.dicom.rendering.colour import picture_of
from apps.dicom.rendering.documents import as_document, document_html, document_text
from apps.dicom.rendering.drawing import drawn, encoded_frames, encoded_picture
from apps.dicom.rendering.films import (
    JOINABLE,
    MOST_FRAMES,
    MOST_GIF_FRAMES,
    encoded_film,
    first_picture,
    frames_a_second,
    joined_films,
    load_codec,
    repacked_film,
)
from apps.dicom.rendering.options import GIF, RenderingError, RenderOptions, Viewport
from apps.dicom.rendering.overlays import with_overlays
from apps.dicom.rendering.presentation import presented
from apps.dicom.rendering.profiles import coloured
from apps.dicom.rendering.reading import Frame, frame_of, read_frame
from apps.dicom.rendering.reports import as_html, as_sheet, as_text
from apps.dicom.rendering.states import State
from apps.dicom.structured_report import TooLongError
from apps.dicom.transcoding import read_little_endian

__all__ = [
    "RenderingError",
    "film",
    "picture",
    "poster",
    "prepare",
    "presentation",
    "repack",
    "report",
    "sign",
    "slides",
]

HTML, TEXT, SHEET = "html", "text", "sheet"  # forms of a report
Made = tuple[dict[str, Any], list[bytes]]
_FILM_VIEWPORT, _GIF_VIEWPORT = Viewport(1024, 1024), Viewport(512, 512)


def prepare(*, films: bool) -> None:
    """Import and read what is needed later, when nothing can be opened any more."""
    read_fonts()
    if films:
        load_codec()


def picture(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """One frame as a file of the media type asked for."""
    options = RenderOptions.from_words(arguments["options"])
    with warnings.catch_warnings(action="ignore"):
        frame = read_frame(arguments, contents)
        image, profile = coloured(_image(frame, options), frame.dataset, options.icc)
        return {}, [encoded_picture(image, options, profile)]


def presentation(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """One frame as a presentation state shows it: the first of `contents`, in `state` syntax."""
    options = RenderOptions.from_words(arguments["options"])
    with warnings.catch_warnings(action="ignore"):
        dataset = read_little_endian(contents[0], arguments["state"])
        state = State(dataset, arguments["image"], arguments["frame"])
        frame = read_frame(arguments, contents[1:])
        image, profile = coloured(
            presented(frame, state, options.viewport), frame.dataset, options.icc
        )
        return {}, [encoded_picture(image, options, profile)]


def film(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """Frames of a whole data set as MP4, or as GIF."""
    options = RenderOptions.from_words(arguments["options"])
    numbers = arguments["frames"]
    is_gif = options.media_type == GIF
    if len(numbers) > (MOST_GIF_FRAMES if is_gif else MOST_FRAMES):
        raise RenderingError(f"{len(numbers)} frames are too many for one film")
    with warnings.catch_warnings(action="ignore"):
        dataset = read_little_endian(contents[0], arguments["syntax"])
        speed = frames_a_second(dataset)
        images = _images(dataset, arguments["syntax"], numbers, options)
        if is_gif:
            return {}, [encoded_frames(list(images), 1000 / speed)]
        return {}, [encoded_film(images, speed)]


def slides(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """A piece of a film (MP4) of JPEG pictures of ours, all as large as the first content.

    That one is the first picture of the whole film, and not shown in this piece.
    """
    size = Image.open(io.BytesIO(contents[0]), formats=["JPEG"]).size
    opened = (Image.open(io.BytesIO(one), formats=["JPEG"]) for one in contents[1:])
    images = (
        image if image.size == size else ImageOps.pad(image.convert("RGB"), size)
        for image in opened
    )
    return {}, [encoded_film(images, arguments["speed"], more=JOINABLE)]


def join(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """The pieces of a film as one."""
    return {}, [joined_films(contents, arguments["speed"])]


def poster(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """The first picture of a stored video."""
    options = RenderOptions.from_words(arguments["options"])
    image = first_picture(contents)
    frame = Frame(np.zeros((0, 0), np.uint8), Dataset(), 1)
    return {}, [encoded_picture(drawn(np.asarray(image), frame, options.viewport), options, None)]


def repack(_arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """A stored video as MP4."""
    return {}, [repacked_film(contents)]


def sign(arguments: dict[str, Any], _contents: Sequence[bytes]) -> Made:
    """A drawn sign in place of a thumbnail."""
    options = RenderOptions.from_words(arguments["options"])
    image = drawn_sign(arguments["label"], *arguments["size"])
    return {}, [encoded_picture(image, options, None)]


def report(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """A structured report as HTML or plain text, UTF-8, or as rows for a sheet of paper.

    Behind the report in `contents` stand JPEGs of the images named in `pictures`.
    """
    words, form, saved = arguments["words"], arguments["form"], arguments["saved"]
    pictures = dict(zip(arguments["pictures"], contents[1:], strict=True))
    with warnings.catch_warnings(action="ignore"):
        dataset = read_little_endian(contents[0], arguments["syntax"])
        try:
            if form == SHEET:
                return as_sheet(dataset, words, saved), []
            if form == HTML:
                made = as_html(dataset, words, pictures, saved)
            else:
                made = as_text(dataset, words, saved)
        except TooLongError:
            raise RenderingError("a report of too many items") from None
    return {}, [made.encode("utf-8", "replace")]


def document(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    """The text of an encapsulated CDA document, as HTML or plain text or rows for a sheet."""
    with warnings.catch_warnings(action="ignore"):
        dataset = read_little_endian(contents[0], arguments["syntax"])
    sheet = as_document(bytes(dataset.get("EncapsulatedDocument") or b""), arguments["words"])
    if arguments["form"] == SHEET:
        return sheet, []
    write = document_html if arguments["form"] == HTML else document_text
    return {}, [write(sheet, arguments["words"]).encode("utf-8", "replace")]


def _image(frame: Frame, options: RenderOptions) -> Image.Image:
    levels = picture_of(frame, options.window)
    if options.overlays:
        levels = with_overlays(levels, frame)
    image = drawn(levels, frame, options.viewport)
    return annotated(image, frame.dataset, options.annotations) if options.annotations else image


def _images(
    dataset: Dataset, syntax: str, numbers: Sequence[int], options: RenderOptions
) -> Iterator[Image.Image]:
    usual = _GIF_VIEWPORT if options.media_type == GIF else _FILM_VIEWPORT
    for number in numbers:
        frame = frame_of(dataset, syntax, number)
        image = _image(frame, options)
        if options.viewport is None and (image.width > usual.width or image.height > usual.height):
            image.thumbnail((usual.width, usual.height))
        yield image
