"""The Django admin as IT's desk: entry by policy, every change in the journal."""

from django.contrib.admin import AdminSite
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.accounts.policy import Action, Noun, can
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


class OpenpacsAdminSite(AdminSite):
    site_header = _("openpacs administration")
    site_title = _("openpacs")
    index_title = _("The department")
    empty_value_display = "–"  # noqa: RUF001

    def has_permission(self, request: HttpRequest) -> bool:
        """By policy, not by is_staff."""
        return any(can(request.user, action, noun) for action, noun in KEYS)

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
