"""How an image is to be shown; what PS3.18 8.3.5.1 lets a user agent ask for."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

JPEG, PNG, GIF = "image/jpeg", "image/png", "image/gif"
LINEAR, LINEAR_EXACT, SIGMOID = "linear", "linear-exact", "sigmoid"
FUNCTIONS = (LINEAR, LINEAR_EXACT, SIGMOID)
PATIENT, TECHNIQUE = "patient", "technique"


class RenderingError(ValueError):
    """The object cannot be shown; the message says why."""


@dataclass(frozen=True)
class Window:
    """Center and width in units behind the modality transformation (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = LINEAR


@dataclass(frozen=True)
class Viewport:
    """Largest width and height of the picture, and the region of the image that fills it.

    The region is in pixels of the image, to its edges where it names no size; a negative
    width or height mirrors it.
    """

    width: int
    height: int
    x: float = 0
    y: float = 0
    region_width: float | None = None
    region_height: float | None = None

    def region(self, columns: int, rows: int) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom edge of the region within an image; None: outside of it."""
        width = columns - self.x if self.region_width is None else abs(self.region_width)
        height = rows - self.y if self.region_height is None else abs(self.region_height)
        left, top = max(self.x, 0.0), max(self.y, 0.0)
        right, bottom = min(self.x + width, columns), min(self.y + height, rows)
        return (left, top, right, bottom) if right - left >= 1 and bottom - top >= 1 else None


@dataclass(frozen=True)
class RenderOptions:
    """`annotations` of PATIENT, TECHNIQUE; `icc`: "no", "yes" (embed what is there) or "srgb"."""

    media_type: str = JPEG
    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = 90
    annotations: tuple[str, ...] = ()
    overlays: bool = False
    icc: str = "no"

    def words(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_words(cls, words: dict[str, Any]) -> Self:
        window, viewport = words["window"], words["viewport"]
        given = {
            **words,
            "window": Window(**window) if window else None,
            "viewport": Viewport(**viewport) if viewport else None,
            "annotations": tuple(words["annotations"]),
        }
        return cls(**given)
