"""What the viewer is told about its user: addresses, rights and words.

Each part of the viewer's extension (static/js/viewer) has a function here or in its own
module that gives its part of the facts; they stand in app-config.js as `openpacs`.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.policy import Action, Noun, can
from apps.viewer.print_facts import printing_facts, report_picture_facts

Facts = dict[str, Any]
DICOMWEB = "/dicom-web"  # path-absolute: right behind any front and on any host


def facts_for(request: HttpRequest) -> Facts:
    """All of them, by the name of their part."""
    return {name: make(request) for name, make in PARTS.items()}


def site_facts(request: HttpRequest) -> Facts:
    return {
        "name": settings.OPENPACS_SITE_NAME,
        "base": reverse("viewer:page"),
        "extension": static("js/viewer/extension.js"),
        "dicomweb": DICOMWEB,
        "signIn": reverse("accounts:login"),
        "csrfToken": get_token(request),
        "mayStore": can(request.user, Action.CREATE, Noun.STUDY),
    }


def navigation_facts(request: HttpRequest) -> Facts:
    return {"home": reverse("home"), "words": {"home": _("Back to the worklist")}}


PARTS: dict[str, Callable[[HttpRequest], Facts]] = {
    "site": site_facts,
    "navigation": navigation_facts,
    "printing": printing_facts,
    "reportPicture": report_picture_facts,
}
