"""Which viewers on the desks are offered, and how they are called."""

from django.contrib import admin

from apps.accounts.admin import PolicyAdmin
from apps.viewer.models import Launcher


@admin.register(Launcher)
class LauncherAdmin(PolicyAdmin[Launcher]):
    list_display = ("name", "active", "position", "template")
    list_filter = ("active",)
    search_fields = ("name", "template")
