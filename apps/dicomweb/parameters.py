"""The query parameters of rendered resources (PS3.18 8.3.5.1): from text to RenderOptions."""

import math
from collections.abc import Mapping

from apps.dicom.rendering.options import (
    FUNCTIONS,
    LINEAR,
    PATIENT,
    TECHNIQUE,
    RenderOptions,
    Viewport,
    Window,
)
from apps.dicomweb.exceptions import BadRequestError

MOST_SIDE = 8192  # pixels of a viewport, each way
_ANNOTATIONS = (PATIENT, TECHNIQUE)
_PROFILES = ("no", "yes", "srgb")
_SWITCH = {"": False, "no": False, "yes": True}


def render_options(asked: Mapping[str, str], media_type: str) -> RenderOptions:
    """What was asked for; raises BadRequestError. Other parameters are not looked at."""
    return RenderOptions(
        media_type=media_type,
        window=_window(asked.get("window", "")),
        viewport=viewport(asked.get("viewport", "")),
        quality=_quality(asked.get("quality", "")),
        annotations=_annotations(asked.get("annotation", "")),
        overlays=_overlays(asked.get("overlays", "")),
        icc=_profile(asked.get("iccprofile", "")),
    )


def viewport(text: str) -> Viewport | None:
    """`width,height[,x,y,width,height]`; those of the region may be empty (PS3.18 8.3.5.1.3)."""
    if not text:
        return None
    words = text.split(",")
    if len(words) not in (2, 6):
        raise BadRequestError("viewport: not two or six numbers")
    width, height = (_side(word) for word in words[:2])
    x, y, region_width, region_height = (_place(word) for word in [*words[2:], *[""] * 4][:4])
    if region_width == 0 or region_height == 0:
        raise BadRequestError("viewport: a region without pixels")
    return Viewport(width, height, x or 0, y or 0, region_width, region_height)


def _window(text: str) -> Window | None:
    """`center,width[,function]` (PS3.18 8.3.5.1.4)"""
    if not text:
        return None
    words = text.split(",")
    if len(words) not in (2, 3):
        raise BadRequestError("window: not a center, a width and a function")
    center, width = (_number(word, "window") for word in words[:2])
    function = words[2].strip().lower() if len(words) == 3 else LINEAR
    if function not in FUNCTIONS:
        raise BadRequestError(f"window: known functions are {', '.join(FUNCTIONS)}")
    # PS3.3 C.11.2.1.2.1: at least one, but for the functions that take fractions.
    if width <= 0 or (function == LINEAR and width < 1):
        raise BadRequestError("window: too narrow for its function")
    return Window(center, width, function)


def _number(word: str, name: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or len(word) > 32:
        raise BadRequestError(f"{name}: not a number where one should be")
    return number


def _side(word: str) -> int:
    if not (word.isdecimal() and word.isascii() and len(word) < 6 and 1 <= int(word) <= MOST_SIDE):
        raise BadRequestError(f"viewport: its sides are of 1 to {MOST_SIDE} pixels")
    return int(word)


def _place(word: str) -> float | None:
    return _number(word, "viewport") if word else None


def _quality(text: str) -> int:
    if not text:
        return RenderOptions.quality
    if not (text.isdecimal() and text.isascii() and len(text) < 4 and 1 <= int(text) <= 100):
        raise BadRequestError("quality: not a number from 1 to 100")
    return int(text)


def _annotations(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",")) if text else ()
    if not all(word in _ANNOTATIONS for word in words):
        raise BadRequestError(f"annotation: known are {', '.join(_ANNOTATIONS)}")
    return words


def _overlays(text: str) -> bool:
    if text not in _SWITCH:
        raise BadRequestError("overlays: yes or no")
    return _SWITCH[text]


def _profile(text: str) -> str:
    if text and text not in _PROFILES:
        raise BadRequestError(f"iccprofile: known are {', '.join(_PROFILES)}")
    return text or "no"
