"""What the viewer is told of printing, pictures for reports, and films."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from apps.accounts.policy import Action, Noun, can

USUAL_SPEED = 10  # frames a second of a stack that is scrolled through


def printing_facts(request: HttpRequest) -> dict[str, Any]:
    return {
        "layout": reverse("viewer:print-layout"),
        "rows": reverse("viewer:print-rows"),
        "film": _film_address() if can(request.user, Action.EXPORT, Noun.STUDY) else "",
        "speed": USUAL_SPEED,
        "words": {
            "title": _("Print, or make a film"),
            "image": _("Image"),
            "paper": _("Paper"),
            "orientation": _("Lies"),
            "landscape": _("Landscape"),
            "portrait": _("Upright"),
            "series": _("Images of the active series"),
            "first": _("From image"),
            "last": _("To image"),
            "step": _("Take every"),
            "rows": _("Rows"),
            "columns": _("Columns"),
            "speed": _("Images a second"),
            "printLayout": _("Print what is on the screen"),
            "printRows": _("Print the series in rows"),
            "film": _("Series as a film (MP4)"),
            "filmAsked": _("The film is asked for."),
            "filmFailed": _("The film could not be made."),
        },
    }


def report_picture_facts(request: HttpRequest) -> dict[str, Any]:
    writes = can(request.user, Action.CHANGE, Noun.REPORT)
    return {
        "address": reverse("reports:add-picture") if writes else "",
        "words": {
            "title": _("To the report"),
            "tooltip": _("Put a picture of the active image into the report"),
            "image": _("Image"),
            "nothing": _("There is no image to put into the report."),
            "failed": _("The picture could not be put into the report."),
        },
    }


def _film_address() -> str:
    """Of the room above that makes films; nothing where a site goes without it."""
    try:
        return reverse("exports:film")
    except NoReverseMatch:
        return ""
