"""What the viewer is told about other places for a study: see static/js/viewer/threed.js."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.policy import Action, Noun, can
from apps.viewer.models import Launcher

ANY = "0"  # stands for the UID that is put behind what is before it


def threed_facts(request: HttpRequest) -> dict[str, Any]:
    """Beginnings of addresses, behind which the viewer puts a Study Instance UID."""
    launchers = Launcher.objects.filter(active=True).values_list("pk", "name")
    return {
        "workstation": _before_uid("volview:open"),
        "send": _before_uid("viewer:send") if can(request.user, Action.EXPORT, Noun.STUDY) else "",
        "launch": _before_uid("viewer:elsewhere"),
        "launchers": [{"key": key, "name": name} for key, name in launchers],
        "words": {
            "workstation": _("3D workstation"),
            "elsewhere": _("Open or send elsewhere"),
            "send": _("Send to a device"),
            "started": _("The program was called."),
            "failed": _("The program could not be called."),
        },
    }


def _before_uid(route: str) -> str:
    return reverse(route, args=[ANY]).removesuffix(f"{ANY}/")
