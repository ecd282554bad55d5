"""Pictures of images as somebody's browser shows them: checked, and written anew.

They are decoded in processes that may die of it (apps/dicom/workshop.py), never here.
"""

import hashlib
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.dicom.picture_files import kind_of
from apps.dicom.workshop import JobError, Workshop

MOST_BYTES = 8 << 20  # of a file that is brought
MOST_PIXELS = 24_000_000
MOST_SIDE = 2048  # of the picture that is kept
LEAST_SIDE = 16
_KINDS = ("image/jpeg", "image/png")

_workshop = Workshop(processes=1, seconds=10, memory_bytes=1 << 30)


class PictureRefused(ValueError):
    """No picture, or too large a one; the message may be shown to a person."""


@dataclass(frozen=True)
class ScreenPicture:
    """A JPEG or PNG made by us: pixels and nothing else."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def clean_picture(content: bytes) -> ScreenPicture:
    """A picture that a browser sent, fit to be kept. Raises PictureRefused, BusyError."""
    if len(content) > MOST_BYTES:
        raise PictureRefused(_("The picture is too large."))
    if kind_of(content[:132]) not in _KINDS:
        raise PictureRefused(_("This is no JPEG or PNG picture."))
    limits = {"most_side": MOST_SIDE, "most_pixels": MOST_PIXELS, "least_side": LEAST_SIDE}
    try:
        words, (made,) = _workshop.do("clean", limits, [content])
    except JobError:
        raise PictureRefused(_("This picture cannot be read.")) from None
    return ScreenPicture(made, words["media_type"], words["width"], words["height"])
