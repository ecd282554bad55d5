"""The back office asks the policy, not Django's permissions; and its users and roles.

Every ModelAdmin of every room is a `PolicyAdmin`: what a role may look at, add, change and
delete follows from the noun of the model. There are no superusers here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, cast

from axes.utils import reset
from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.forms import RoleChoiceField
from apps.accounts.models import Role, User
from apps.accounts.policy import CLINICAL, Action, Noun, can, noun_of, rights_of, visible

M = TypeVar("M", bound=models.Model)


class JournallingSite(Protocol):
    """The admin site writes to the journal, a room above this one."""

    def journal(
        self, request: HttpRequest, row: models.Model, verb: str, fields: list[str]
    ) -> None: ...


class PolicyRights:
    """The four questions of the admin, answered by the policy for a model's noun.

    `noun` is for models of other packages, which do not name one; `look_only` is for rows
    that are only ever written by services. Rows of clinical nouns are always look-only.
    """

    model: Any
    noun: ClassVar[Noun | None] = None
    look_only: ClassVar[bool] = False

    def may(self, request: HttpRequest, action: Action, row: models.Model | None = None) -> bool:
        return can(request.user, action, self.noun or row or self.model)

    def _may_write(
        self, request: HttpRequest, action: Action, row: models.Model | None = None
    ) -> bool:
        kept = self.look_only or (self.noun or noun_of(self.model)) in CLINICAL
        return not kept and self.may(request, action, row)


class PolicyAdmin(PolicyRights, admin.ModelAdmin[M]):
    """A model in the back office. `status` is never typed in: services move it."""

    list_per_page = 50
    state_fields: ClassVar[Sequence[str]] = ("status",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, Action.VIEW, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may_write(request, Action.CREATE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request, Action.CHANGE, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request, Action.DELETE, obj)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[M]:
        if self.noun:
            rows: models.QuerySet[M] = self.model._default_manager.all()
            seen = rows if self.may(request, Action.VIEW) else rows.none()
        else:
            seen = cast("models.QuerySet[M]", visible(request.user, self.model))
        ordering = self.get_ordering(request)
        return seen.order_by(*ordering) if ordering else seen

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Another row may be looked at and added from a form, not deleted in passing."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_delete_related = False
            field.widget.can_change_related = False
            field.widget.can_view_related = True
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        named = list(super().get_readonly_fields(request, obj))
        own = {field.name for field in self.model._meta.fields}
        return named + [name for name in self.state_fields if name in own and name not in named]

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> Any:
        self._journal(request, [obj], "added", message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> Any:
        self._journal(request, [obj], "changed", message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        self._journal(request, queryset, "deleted", [])
        return super().log_deletions(request, queryset)

    def _journal(
        self, request: HttpRequest, rows: Iterable[models.Model], verb: str, message: Any
    ) -> None:
        site = cast("JournallingSite", self.admin_site)
        parts = message if isinstance(message, list) else []
        fields = [str(name) for part in parts for name in _changed_fields(part)]
        for row in rows:
            site.journal(request, row, verb, fields)


def _changed_fields(part: dict[str, Any]) -> list[Any]:
    # Django's change message: [{"changed": {"fields": ["Name"]}}, {"added": {...}}]
    return [name for what in part.values() for name in what.get("fields", [])]


class PolicyTabularInline(PolicyRights, admin.TabularInline[Any, Any]):
    """Rows of another model on a form, each under the policy of its own noun."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, Action.VIEW)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request, Action.CREATE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request, Action.CHANGE)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_write(request, Action.DELETE)


admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(PolicyAdmin[User], DjangoUserAdmin[User]):
    """Accounts are switched off, not deleted: the journal goes on naming them."""

    add_form = UserCreationForm
    list_display = ("username", "full_name", "role_names", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    actions: Sequence[Any] = ("unlock",)  # rooms above add theirs
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("title", "first_name", "last_name", "email")}),
        (_("Rights"), {"fields": ("groups", "is_active", "must_change_password")}),
        (_("Use"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "password1", "password2")}),
        (_("Rights"), {"fields": ("groups", "must_change_password")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field,
            request,
            **{**kwargs, "form_class": RoleChoiceField, "label": _("Roles"), "help_text": ""},
        )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=_("name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        return str(user)

    @admin.display(description=_("roles"))
    def role_names(self, user: User) -> str:
        held = {group.name for group in user.groups.all()}
        return ", ".join(str(role.label) for role in Role if role.value in held)

    @admin.action(description=_("Unlock after failed sign-ins"), permissions=["change"])
    def unlock(self, request: HttpRequest, users: models.QuerySet[User]) -> None:
        unlocked = sum(bool(reset(username=user.username)) for user in users)
        text = ngettext(
            "%(count)d account was locked and is open again.",
            "%(count)d accounts were locked and are open again.",
            unlocked,
        )
        messages.success(request, text % {"count": unlocked})


@admin.register(Group)
class RoleAdmin(PolicyAdmin[Group]):
    """The roles and what each may do; both are part of the program, so nothing to edit."""

    noun = Noun.USER
    look_only = True
    list_display = ("role", "rights")
    fields = ("role", "rights")
    ordering = ("name",)

    @admin.display(description=_("role"), ordering="name")
    def role(self, group: Group) -> str:
        return str(Role(group.name).label) if group.name in Role.values else group.name

    @admin.display(description=_("may"))
    def rights(self, group: Group) -> str:
        if group.name not in Role.values:
            return str(_("nothing: not a role of this program"))
        return "; ".join(rights_of(Role(group.name)))
