"""The Django admin as IT's desk: entry by policy, every change in the journal."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.accounts.policy import CLINICAL, Action, Noun, can, noun_of
from apps.audit.models import Kind
from apps.audit.services import origin_of, record

# Holding any one of these opens the back office. Looking at the catalogue alone does not:
# everyone who orders may do that, on the pages.
KEYS = (
    (Action.VIEW, Noun.DEVICE),
    (Action.VIEW, Noun.PARTNER),
    (Action.VIEW, Noun.JOURNAL),
    (Action.VIEW, Noun.USER),
    (Action.VIEW, Noun.INGEST),
    (Action.CHANGE, Noun.CATALOGUE),
    (Action.CHANGE, Noun.TEMPLATE),
)
_CONNECTIONS = {Noun.DEVICE, Noun.PARTNER, Noun.INGEST, Noun.TRANSFER}
GROUPS = (
    ("department", _("Department"), {Noun.CATALOGUE, Noun.TEMPLATE}),
    ("connections", _("Connections"), _CONNECTIONS),
    ("people", _("People and journal"), {Noun.USER, Noun.JOURNAL}),
    ("records", _("Records, to look at"), CLINICAL - {Noun.JOURNAL}),
)


class OpenpacsAdminSite(AdminSite):
    site_header = _("openpacs administration")
    site_title = _("openpacs")
    index_title = _("Administration")
    empty_value_display = "–"

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """What there is to administer, by purpose instead of by room."""
        rooms = super().get_app_list(request, app_label)
        if app_label:
            return rooms
        models_ = [model for room in rooms for model in room["models"]]
        for model in models_:
            if model["model"] is Group:
                model["name"] = _("roles")
        return [group for group in _groups(models_) if group["models"]]

    def has_permission(self, request: HttpRequest) -> bool:
        """By policy, not by is_staff."""
        return any(can(request.user, action, noun) for action, noun in KEYS)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One door for the whole house: the site's login page."""
        if request.user.is_authenticated:
            raise PermissionDenied
        following = request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index"))
        return redirect_to_login(following)

    def journal(
        self, request: HttpRequest, row: models.Model, verb: str, fields: list[str]
    ) -> None:
        """Called by every PolicyAdmin in the transaction of its change."""
        new_user = isinstance(row, User) and verb == "added"
        record(
            Kind.USER_CREATED if new_user else Kind.SITE_CHANGED,
            row,
            origin=origin_of(request),
            details={"verb": verb, "fields": fields},
        )


def _groups(models_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    nouns = {model["object_name"]: _noun(model["model"]) for model in models_}
    return [
        {
            "name": name,
            "app_label": label,
            "app_url": reverse("admin:index"),
            "has_module_perms": True,
            "models": [model for model in models_ if nouns[model["object_name"]] in members],
        }
        for label, name, members in GROUPS
    ]


def _noun(model: type[models.Model]) -> Noun:
    # Groups are the only rows of another package shown here: they are the roles.
    return noun_of(model) if hasattr(model, "policy_noun") else Noun.USER
