"""What the navigation shows: the pages this user may take, in hospital order."""

from typing import Any

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor; filled by the pages."""
    return {"navigation": []}
