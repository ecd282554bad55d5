"""Many frames as one moving picture: MP4 (H.264), or an animated GIF.

The encoder is FFmpeg in the wheels of PyAV; only the processes for films load it.
"""

import importlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from apps.dicom.rendering.options import RenderingError

MOST_FRAMES = 3000
MOST_GIF_FRAMES = 400
_SLOWEST, _FASTEST, _USUAL = 1, 60, 15  # frames a second
_QUALITY = {"crf": "20", "preset": "veryfast"}
JOINABLE = {"bf": "0"}  # no frame waits for a later one: packets lie in the order of frames
_PER_SECOND = ("RecommendedDisplayFrameRate", "CineRate")
_codec: dict[str, Any] = {}


def load_codec() -> None:
    """Before files can be opened no more: it imports more of itself when it is first used."""
    _codec["av"] = importlib.import_module("av")
    film = encoded_film([Image.new("L", (16, 16))], _USUAL)
    first_picture([repacked_film([film])])


def frames_a_second(dataset: Dataset) -> float:
    """How fast the frames are meant to be shown (PS3.3 C.7.6.5)."""
    for name in _PER_SECOND:
        if speed := _positive(dataset.get(name)):
            return speed
    if between := _positive(dataset.get("FrameTime")):  # in ms
        return min(max(1000 / between, _SLOWEST), _FASTEST)
    return _USUAL


def encoded_film(
    images: Iterable[Image.Image], speed: float, *, more: Mapping[str, str] | None = None
) -> bytes:
    """An MP4 file; its index is at its end, as nothing here can open a file a second time.

    `more`: options of the encoder beyond the usual ones.
    """
    av = _library()
    target = io.BytesIO()
    stream = None
    with av.open(target, "w", format="mp4") as film:
        for image in images:
            frame = av.VideoFrame.from_ndarray(_even(image), format="rgb24")
            if stream is None:
                rate = _rate(speed)
                stream = film.add_stream("libx264", rate=rate, options={**_QUALITY, **(more or {})})
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt, stream.thread_count = "yuv420p", 1
            film.mux(stream.encode(frame))
        if stream is not None:
            film.mux(stream.encode())
    return target.getvalue()


def joined_films(pieces: Iterable[bytes], speed: float) -> bytes:
    """Films that were encoded alike and JOINABLE, one after the other; nothing is decoded."""
    target = io.BytesIO()
    copy = None
    with _library().open(target, "w", format="mp4") as film:
        for place, (stream, packet) in enumerate(_packets(pieces)):
            copy = copy or film.add_stream_from_template(stream)
            packet.stream, packet.time_base = copy, 1 / _rate(speed)
            packet.pts = packet.dts = place
            packet.duration = 1
            film.mux(packet)
    return target.getvalue()


def _packets(pieces: Iterable[bytes]) -> Iterator[tuple[Any, Any]]:
    """Stream and packet, a packet for each frame."""
    for piece in pieces:
        with _library().open(io.BytesIO(piece), "r") as source:
            stream = source.streams.video[0]
            # The last packet only says that it is over.
            yield from ((stream, one) for one in source.demux(stream) if one.dts is not None)


def repacked_film(pieces: Sequence[bytes]) -> bytes:
    """The stream of a stored video in the container that browsers take; nothing is decoded."""
    av = _library()
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(b"".join(pieces)), "r") as source,
        av.open(target, "w", format="mp4") as film,
    ):
        stream = source.streams.video[0]
        copy = film.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:  # the last one only says that it is over
                packet.stream = copy
                film.mux(packet)
    return target.getvalue()


def first_picture(film: Sequence[bytes]) -> Image.Image:
    """The first frame of a stored video."""
    av = _library()
    with av.open(io.BytesIO(b"".join(film)), "r") as source:
        for frame in source.decode(video=0):
            image: Image.Image = frame.to_image()
            return image
    raise RenderingError("a video without pictures")


def _rate(speed: float) -> Fraction:
    return Fraction(speed).limit_denominator(1000)


def _library() -> Any:
    if "av" not in _codec:
        raise RenderingError("no codec for video here")
    return _codec["av"]


def _even(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """With even sides, as the colours of H.264 need them."""
    levels = np.asarray(image.convert("RGB"))
    height, width = levels.shape[:2]
    return np.pad(levels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return min(number, _FASTEST) if _SLOWEST <= number < 1e6 else None
