"""A series, or an object of many frames, as one film: what a viewer shows, slice by slice."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import visible
from apps.dicom.rendering.options import JPEG, RenderOptions, Viewport, Window
from apps.exports.models import Export
from apps.exports.services.refusals import NotMade
from apps.studies.models import Series
from apps.studies.services.forms import Form, form_of
from apps.studies.services.rendering import (
    NotRenderableError,
    film_piece,
    join_film,
    render,
    repack_video,
)
from apps.studies.services.showing import ShownFrame, shown_frames

MP4 = "video/mp4"
MOST_FRAMES = 1000
AT_ONCE = 32
MOST_SIDE, LEAST_SIDE = 1024, 256
_QUALITY = 95  # between the rendering and the film


def frames_wanted(export: Export) -> list[ShownFrame]:
    """The images of the film in their order. Raises NotMade."""
    asked = export.options
    series = _series(export.user, asked["series"])
    frames = shown_frames(series, instance_uid=asked["instance"]) if series else []
    chosen = frames[asked["first"] - 1 : asked["last"] : asked["step"]]
    if not chosen:
        raise NotMade(_("There are no such images in this series."))
    if len(chosen) > MOST_FRAMES:
        raise NotMade(_("A film has %(most)d images at most.") % {"most": MOST_FRAMES})
    return chosen


def film_of(export: Export, frames: Sequence[ShownFrame], on_frame: Callable[[], None]) -> bytes:
    """The MP4 file; `on_frame` is called after each image. Raises NotMade, BusyError, OSError."""
    asked = export.options
    first = frames[0].instance
    try:
        if form_of(first) == Form.VIDEO:
            return repack_video(first)
        pieces = list(_pieces(frames, _options(frames, asked["window"]), asked["speed"], on_frame))
        return join_film(pieces, speed=asked["speed"])
    except NotRenderableError as error:
        raise NotMade(_("An image cannot be shown: %(why)s") % {"why": error}) from None


def _series(user: User, key: int) -> Series | None:
    return visible(user, Series).filter(pk=key).first()


def _options(frames: Sequence[ShownFrame], window: list[float] | None) -> RenderOptions:
    """Not larger than the images are: pixels made up only take time."""
    longest = max(max(one.instance.rows or 0, one.instance.columns or 0) for one in frames)
    side = min(max(longest, LEAST_SIDE), MOST_SIDE)
    levels = Window(window[0], window[1]) if window else None
    return RenderOptions(JPEG, window=levels, viewport=Viewport(side, side), quality=_QUALITY)


def _pieces(
    frames: Sequence[ShownFrame],
    options: RenderOptions,
    speed: float,
    on_frame: Callable[[], None],
) -> Iterator[bytes]:
    """So many images at a time, that a worker on a busy machine keeps its lease meanwhile."""
    first = b""
    for at in range(0, len(frames), AT_ONCE):
        pictures = [_picture(one, options, on_frame) for one in frames[at : at + AT_ONCE]]
        first = first or pictures[0]
        yield film_piece(pictures, first=first, speed=speed)


def _picture(one: ShownFrame, options: RenderOptions, on_frame: Callable[[], None]) -> bytes:
    _kind, made = render(one.instance, frame=one.frame, options=options)
    on_frame()
    return made


def film_options(given: dict[str, Any], series: Series) -> dict[str, Any]:
    """What a film is made by, as an export keeps it: from what a form says."""
    center, width = given["center"], given["width"]
    window = None if center is None or width is None else [center, width]
    names = ("first", "last", "step", "speed", "instance")
    return {"series": series.pk, "window": window, **{name: given[name] for name in names}}
