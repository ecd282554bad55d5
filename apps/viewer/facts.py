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

from apps.accounts.policy import Action, Noun, can
from apps.viewer.documents import documents_facts
from apps.viewer.key_images import key_image_facts
from apps.viewer.personal import (
    layouts_facts,
    preferences_facts,
    slab_facts,
    windows_facts,
)
from apps.viewer.print_facts import printing_facts, report_picture_facts
from apps.viewer.reading import (
    measurement_facts,
    navigation_facts,
    priors_facts,
    reading_facts,
    unsaved_facts,
)
from apps.viewer.regular import regular_facts
from apps.viewer.threed import threed_facts

Facts = dict[str, Any]
DICOMWEB = "/dicom-web"  # path-absolute: right behind any front and on any host


def facts_for(request: HttpRequest) -> Facts:
    """All of them, by the name of their part."""
    return {name: make(request) for name, make in PARTS.items()}


def site_facts(request: HttpRequest) -> Facts:
    return {
        "name": settings.OPENPACS_SITE_NAME,
        "base": reverse("viewer:page"),
        "extension": static(settings.VIEWER_EXTENSION),
        "dicomweb": DICOMWEB,
        "signIn": reverse("accounts:login"),
        "csrfToken": get_token(request),
        "mayStore": can(request.user, Action.CREATE, Noun.STUDY),
    }


def saving_facts(request: HttpRequest) -> Facts:
    """Who is named in what is saved, as a DICOM person name."""
    user: Any = request.user
    return {"author": user.person_name}


PARTS: dict[str, Callable[[HttpRequest], Facts]] = {
    "site": site_facts,
    "reading": reading_facts,
    "navigation": navigation_facts,
    "priors": priors_facts,
    "measurements": measurement_facts,
    "unsaved": unsaved_facts,
    "saving": saving_facts,
    "keyImages": key_image_facts,
    "reportPicture": report_picture_facts,
    "slab": slab_facts,
    "layouts": layouts_facts,
    "windows": windows_facts,
    "printing": printing_facts,
    "threed": threed_facts,
    "regular": regular_facts,
    "documents": documents_facts,
    "preferences": preferences_facts,
}
