"""What the viewer is told about layouts, windows, slabs and habits of its user."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.viewer.services import habits_of, may_share
from apps.viewer.shapes import STORED


def layouts_facts(request: HttpRequest) -> dict[str, Any]:
    return {
        "address": reverse("viewer:layouts"),
        "styles": static("css/viewer.css"),
        "mayShare": may_share(request.user),
        "words": {
            "title": _("Layouts"),
            "usual": _("The viewer's own layout"),
            "apply": _("Use"),
            "remove": _("Remove"),
            "removed": _("The layout is removed."),
            "everybody": _("everybody's"),
            "opens": _("opens such studies"),
            "saveTitle": _("Keep the present layout"),
            "save": _("Save this layout as mine"),
            "name": _("Name"),
            "for": _("For"),
            "modality": _("All studies with %(modality)s"),
            "procedure": _("The procedure “%(procedure)s”"),
            "isDefault": _("Open such studies with it"),
            "windows": _("Keep the windows, too"),
            "forEverybody": _("For everybody"),
            "saved": _("The layout is kept."),
            "oblique": _("Oblique planes are not kept: they come back as the plane of the series."),
            "failed": _("This did not work. Please try again."),
            "close": _("Close"),
        },
    }


def slab_facts(request: HttpRequest) -> dict[str, Any]:
    return {
        "words": {
            "title": _("Thick slab"),
            "none": _("None"),
            "mip": _("Maximum (MIP)"),
            "minip": _("Minimum (MinIP)"),
            "avg": _("Average"),
            "thickness": _("Thickness in mm"),
        },
    }


def windows_facts(request: HttpRequest) -> dict[str, Any]:
    return {
        "words": {
            "title": _("My windows"),
            "none": _("You have kept no windows yet."),
            "use": _("Use"),
            "remove": _("Remove"),
            "addTitle": _("Keep the present window"),
            "add": _("Keep this window"),
            "name": _("Name"),
            "modality": _("Modality"),
            "noImage": _("Choose a viewport with an image first."),
            "value": _("width %(width)s, centre %(center)s"),
            "key": _("key %(key)s"),
            "preset": _("Window %(number)s of the menu"),
        },
    }


def preferences_facts(request: HttpRequest) -> dict[str, Any]:
    """Habits, and the names of what the viewer keeps in the browser for its user."""
    return {"address": reverse("viewer:preferences"), "names": STORED, **habits_of(request.user)}
