"""Layouts for tests: what the viewer sends when one is kept."""

from typing import Any


def shown_series(**changes: Any) -> dict[str, Any]:
    usual = {
        "study": "current",
        "modality": "CT",
        "description": "",
        "place": 0,
        "blend": "mip",
        "slab": 30,
        "window": {"width": 400, "center": 40},
        "inverted": False,
        "colours": None,
        "preset": "",
    }
    return {**usual, **changes}


def viewport(**changes: Any) -> dict[str, Any]:
    usual = {
        "x": 0,
        "y": 0,
        "width": 1,
        "height": 1,
        "kind": "volume",
        "orientation": "axial",
        "tools": "mpr",
        "position": None,
        "series": [shown_series()],
    }
    return {**usual, **changes}


def layout(*viewports: dict[str, Any]) -> dict[str, Any]:
    shown = list(viewports) or [viewport()]
    return {"version": 1, "rows": 1, "columns": len(shown), "viewports": shown}
