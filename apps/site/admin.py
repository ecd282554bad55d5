"""What this room adds to the back office's list of users: one-time password links."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import UserAdmin
from apps.accounts.models import User
from apps.audit.services import origin_of
from apps.site.services import password_link

admin.site.unregister(User)


@admin.register(User)
class UserWithLinkAdmin(UserAdmin):
    actions = (*UserAdmin.actions, "give_password_link")

    @admin.action(description=_("Make a one-time link to set a password"), permissions=["change"])
    def give_password_link(
        self, request: HttpRequest, users: models.QuerySet[User]
    ) -> HttpResponse:
        """The links are on the answer only: nothing keeps them."""
        origin = origin_of(request)
        active = users.filter(is_active=True)
        context = {
            **self.admin_site.each_context(request),
            "title": _("One-time password links"),
            "links": [(user, password_link(user, origin=origin)) for user in active],
            "closed": users.filter(is_active=False),
        }
        return TemplateResponse(request, "admin/accounts/user/password_links.html", context)
