"""What the viewer sends to be printed: nothing of it is believed before it is looked at."""

import json
import math
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.dicom.rendering.options import Window
from apps.viewer.printing import MOST_CELLS, PAPERS, Box, Paper, Rows

MOST_LINES, LONGEST_LINE, LONGEST_LETTERS = 6, 160, 6
LARGEST_PLAN = 64 << 10  # characters
EDGES = ("top", "left", "right", "bottom")


class PaperForm(forms.Form):
    """The paper, and which way it lies."""

    paper = forms.ChoiceField(choices=list(PAPERS.items()))
    orientation = forms.ChoiceField(choices=[("portrait", ""), ("landscape", "")])

    @property
    def paper_chosen(self) -> Paper:
        said = self.cleaned_data
        return Paper(said["paper"], said["orientation"] == "landscape")


class LayoutForm(PaperForm):
    """Viewports: `plan` is a JSON list, an entry for each of the files `picture` in order.

    An entry has `study` and `series` (UIDs), `box` (left, top, width, height in fractions
    of the page), `caption` (lines), `letters` (of the edges: top, left, right, bottom).
    """

    plan = forms.CharField(max_length=LARGEST_PLAN, strip=False)

    def clean_plan(self) -> list[dict[str, Any]]:
        try:
            entries = json.loads(self.cleaned_data["plan"])
            plan = [_entry(one) for one in entries]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            plan = []
        if not 1 <= len(plan) <= MOST_CELLS:
            raise forms.ValidationError(_("This layout cannot be read."))
        return plan


class ImagesForm(forms.Form):
    """Images of a series: from one to another, or every other one; and their levels."""

    series = forms.CharField(max_length=64)
    instance = forms.CharField(max_length=64, required=False)
    first = forms.IntegerField(min_value=1, max_value=1_000_000)
    last = forms.IntegerField(min_value=1, max_value=1_000_000)
    step = forms.IntegerField(min_value=1, max_value=10_000)
    center = forms.FloatField(required=False, min_value=-1e6, max_value=1e6)
    width = forms.FloatField(required=False, min_value=1e-6, max_value=1e7)

    @property
    def window(self) -> Window | None:
        center, width = self.cleaned_data["center"], self.cleaned_data["width"]
        return None if center is None or width is None else Window(center, width)


class SeriesForm(ImagesForm, PaperForm):
    """A series in rows and columns."""

    rows = forms.IntegerField(min_value=1, max_value=8)
    columns = forms.IntegerField(min_value=1, max_value=8)

    @property
    def rows_chosen(self) -> Rows:
        said = self.cleaned_data
        names = ("first", "last", "step", "rows", "columns", "instance")
        return Rows(**{name: said[name] for name in names}, window=self.window)


def _entry(given: Any) -> dict[str, Any]:
    """Raises ValueError, TypeError, KeyError, AttributeError for what is no entry."""
    caption, letters = given.get("caption", []), given.get("letters", {})
    return {
        "study": _text(given["study"], 64),
        "series": _text(given.get("series", ""), 64),
        "box": _box(given["box"]),
        "caption": [_text(line, LONGEST_LINE) for line in caption[:MOST_LINES]],
        "letters": {edge: _text(letters.get(edge, ""), LONGEST_LETTERS) for edge in EDGES},
    }


def _text(given: Any, longest: int) -> str:
    if not isinstance(given, str):
        raise TypeError
    return "".join(char for char in given if char.isprintable())[:longest]


def _box(given: Any) -> Box:
    """Within the page, and not next to nothing."""
    left, top, width, height = (float(one) for one in given)
    if not all(math.isfinite(one) for one in (left, top, width, height)):
        raise ValueError
    fits = min(left, top) >= -0.001 and max(left + width, top + height) <= 1.001
    if not fits or min(width, height) < 0.02:
        raise ValueError
    return (max(left, 0.0), max(top, 0.0), width, height)
