"""The tokens of everybody, for the administrators: to be looked at and revoked."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.admin import PolicyAdmin
from apps.accounts.models import ApiToken
from apps.accounts.policy import Action
from apps.audit.services import origin_of
from apps.audit.tokens import revoke_token


@admin.register(ApiToken)
class ApiTokenAdmin(PolicyAdmin[ApiToken]):
    """Their owners make them; what they open does not change afterwards."""

    look_only = True
    list_display = (
        *("name", "user", "prefix", "opens", "only_study", "created_at", "last_used_at"),
        *("expires_at", "revoked_at"),
    )
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "=prefix", "=user__username")
    fields = list_display
    readonly_fields = ("opens",)
    actions = ("revoke",)

    @admin.display(description=_("opens"))
    def opens(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.CHANGE)

    @admin.action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        origin = origin_of(request)
        revoked = sum(revoke_token(token, origin=origin) for token in tokens)
        text = ngettext(
            "%(count)d token opens nothing any more.",
            "%(count)d tokens open nothing any more.",
            revoked,
        )
        messages.success(request, text % {"count": revoked})
