"""The colours can be read: WCAG 2.2 AA contrast of the tokens, in light and in dark."""

import re
from itertools import product
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[1] / "static" / "css" / "tokens.css"
PAIR = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
COLOURS = {name: values for name, *values in PAIR.findall(TOKENS.read_text(encoding="utf-8"))}
TEXTS = ("ink", "ink-soft", "ink-faint", "petrol", "petrol-deep", "red", "amber", "green", "blue")
GROUNDS = ("ground", "surface", "surface-low", "surface-high")
ON_COLOUR = [
    ("red", "red-wash"),
    ("amber", "amber-wash"),
    ("green", "green-wash"),
    ("blue", "blue-wash"),
    ("ink", "petrol-wash"),
    ("petrol-deep", "petrol-wash"),
    ("on-petrol", "petrol"),
    ("on-petrol", "petrol-deep"),
]
EDGES = [("line-strong", "surface"), ("safelight", "ground"), ("petrol", "ground")]


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [*product(TEXTS, GROUNDS), *ON_COLOUR])
def test_text_stands_out_from_its_ground(text: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[text][theme], COLOURS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_of_controls_and_the_focus_can_be_seen(edge: str, ground: str, theme: int) -> None:
    assert contrast(COLOURS[edge][theme], COLOURS[ground][theme]) >= 3
