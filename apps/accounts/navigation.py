"""What the navigation shows: the pages this user may take, in hospital order."""

from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Role, User
from apps.accounts.policy import Action, Noun, can


class Entry(NamedTuple):
    route: str
    label: Promise
    icon: str
    action: Action
    noun: Noun


ENTRIES = (
    Entry("worklist:board", _("Today"), "layout-kanban", Action.VIEW, Noun.STEP),
    Entry("patients:list", _("Patients"), "users", Action.VIEW, Noun.PATIENT),
    Entry("orders:list", _("Orders"), "clipboard-list", Action.VIEW, Noun.ORDER),
    Entry("worklist:day-calendar", _("Calendar"), "calendar-week", Action.VIEW, Noun.APPOINTMENT),
    Entry("reports:reading-list", _("Reading"), "report-medical", Action.CREATE, Noun.REPORT),
    Entry("studies:list", _("Studies"), "photo-scan", Action.VIEW, Noun.STUDY),
    Entry("admin:index", _("Administration"), "adjustments", Action.VIEW, Noun.JOURNAL),
)

# Where a role starts its day; the first role in this order decides for who holds several.
FIRST_PAGES = {
    Role.RADIOLOGIST: "reports:reading-list",
    Role.RESIDENT: "reports:reading-list",
    Role.FRONT_DESK: "worklist:board",
    Role.TECHNOLOGIST: "worklist:board",
    Role.PACS_ADMINISTRATOR: "studies:list",
    Role.SYSTEM_ADMINISTRATOR: "admin:index",
    Role.AUDITOR: "admin:audit_event_changelist",
    Role.REFERRER: "patients:list",
}


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the entries of this user and the name of the house."""
    return {
        "department": settings.OPENPACS_SITE_NAME,
        "navigation": list(_entries(request)),
    }


def first_page(user: User) -> str:
    """The path of the page a user starts with, or nothing."""
    for role, route in FIRST_PAGES.items():
        if role in user.roles and (url := _url(route)):
            return url
    return ""


def _entries(request: HttpRequest) -> Any:
    user = getattr(request, "user", None)
    for entry in ENTRIES if user else ():
        url = _url(entry.route)
        if url and can(user, entry.action, entry.noun):
            yield {
                "url": url,
                "label": entry.label,
                "icon": entry.icon,
                "current": request.path.startswith(url),
            }


def _url(route: str) -> str:
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""
