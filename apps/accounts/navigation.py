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
    number: str = ""  # route of a fragment with a number to be shown beside the label


ENTRIES = (
    Entry("worklist:board", _("Today"), "layout-kanban", Action.VIEW, Noun.STEP),
    Entry("patients:list", _("Patients"), "users", Action.VIEW, Noun.PATIENT),
    Entry("orders:list", _("Orders"), "clipboard-list", Action.VIEW, Noun.ORDER),
    Entry("worklist:day-calendar", _("Calendar"), "calendar-week", Action.VIEW, Noun.APPOINTMENT),
    Entry("reports:reading-list", _("Reading"), "report-medical", Action.CREATE, Noun.REPORT),
    Entry("studies:list", _("Studies"), "photo-scan", Action.VIEW, Noun.STUDY),
    Entry("studies:upload", _("Upload"), "upload", Action.CREATE, Noun.STUDY),
    Entry(
        "routing:list",
        _("Transfers"),
        "send",
        Action.CHANGE,
        Noun.TRANSFER,
        number="routing:given-up",
    ),
    Entry("exports:list", _("Exports"), "package-export", Action.VIEW, Noun.EXPORT),
    Entry("dimse:archives", _("Archives"), "server-2", Action.CREATE, Noun.STUDY),
    Entry("quality:inbox", _("Quality"), "checklist", Action.CHANGE, Noun.STUDY),
    Entry("admin:audit_event_changelist", _("Journal"), "notebook", Action.VIEW, Noun.JOURNAL),
    Entry("admin:index", _("Administration"), "adjustments", Action.CHANGE, Noun.TEMPLATE),
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
        "navigation": _entries(request),
    }


def first_page(user: User) -> str:
    """The path of the page a user starts with, or nothing."""
    for role, route in FIRST_PAGES.items():
        if role in user.roles and (url := _url(route)):
            return url
    return ""


def _entries(request: HttpRequest) -> list[dict[str, Any]]:
    user = getattr(request, "user", None)
    if getattr(user, "must_change_password", False):
        return []  # all ways lead to the page for that
    allowed = [entry for entry in ENTRIES if user and can(user, entry.action, entry.noun)]
    urls = {entry: url for entry in allowed if (url := _url(entry.route))}
    # Of two that fit, the nearer one: the journal is inside the back office.
    here = max((url for url in urls.values() if request.path.startswith(url)), key=len, default="")
    return [
        {
            "url": url,
            "label": entry.label,
            "icon": entry.icon,
            "current": url == here,
            "number": _url(entry.number) if entry.number else "",
        }
        for entry, url in urls.items()
    ]


def _url(route: str) -> str:
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""
