"""Films made while somebody waits for the answer: few at once, short ones, each made once.

An encoder takes a processor for as long as it works, and whoever waits holds a thread of the
web server. Long films are made by a worker instead (apps/exports).
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from apps.audit.alone import held
from apps.dicom.workshop import BusyError
from apps.studies.models import Instance
from apps.studies.patience import TooMuchAsked
from apps.studies.services.caching import cached, looked_up
from apps.studies.services.rendering import MOST_BYTES, RenderOptions, render_film, repack_video

AT_ONCE = 2  # of all processes of a machine
WAITING_SECONDS = 2.0  # for one of them to be done
MOST_FRAMES = 1000
MOST_PIXELS = 1 << 28  # of all frames: 1024 of 512 x 512, some fifteen seconds of a processor
_MADE_BY = 1  # grows when films come to look otherwise


def answering_film(instance: Instance, *, frames: Sequence[int], options: RenderOptions) -> bytes:
    """Frames as GIF or MP4, kept for who asks again.

    Raises TooMuchAsked, BusyError, NotRenderableError, OSError.
    """
    pixels = len(frames) * (instance.rows or 0) * (instance.columns or 0)
    # Of a large object also a short one takes long: an encoder reads it as a whole.
    if len(frames) > MOST_FRAMES or pixels > MOST_PIXELS or instance.size > MOST_BYTES:
        raise TooMuchAsked(
            _(
                "A film of %(frames)d frames of this object takes too long to wait for: ask for "
                "fewer of its frames, or have it made as an export, which may take as long as it "
                "needs."
            )
            % {"frames": len(frames)}
        )
    said = orjson.dumps([list(frames), options.words()], option=orjson.OPT_SORT_KEYS)
    name = f"{instance.sha256}-{instance.overlay:x}-{_digest(said)}-{_MADE_BY}.film"
    return _kept(name, lambda: render_film(instance, frames=frames, options=options)[1])


def answering_video(instance: Instance) -> bytes:
    """A stored video as MP4, kept for who asks again; raises BusyError, NotRenderableError."""
    return _kept(f"{instance.sha256}-{_MADE_BY}.mp4", lambda: repack_video(instance))


def _kept(name: str, make: Callable[[], bytes]) -> bytes:
    """Looked for again when the turn has come: the one before may have made it."""
    found = looked_up(name)
    if found is not None:
        return found
    with _one_of_few():
        return cached(name, make)


def _digest(said: bytes) -> str:
    return hashlib.sha256(said).hexdigest()[:32]


@contextmanager
def _one_of_few() -> Iterator[None]:
    """A place among AT_ONCE, given back also by a process that dies; raises BusyError."""
    handle = _place()
    try:
        yield
    finally:
        os.close(handle)


def _place() -> int:
    until = time.monotonic() + WAITING_SECONDS
    while (handle := _free_place()) is None:
        if time.monotonic() > until:
            raise BusyError
        time.sleep(0.05)
    return handle


def _free_place() -> int | None:
    folder = Path(settings.OPENPACS_CACHE)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(AT_ONCE):
        handle = os.open(folder / f"film-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if held(handle):
            return handle
        os.close(handle)
    return None
