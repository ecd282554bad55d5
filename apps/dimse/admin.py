"""Devices: who may connect, what each may do, and whether it answers."""

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin
from apps.audit.services import origin_of
from apps.dimse.services import echo
from apps.worklist.models import Device


@admin.register(Device)
class DeviceAdmin(PolicyAdmin[Device]):
    list_display = (
        "name",
        "ae_title",
        "modality",
        "resource",
        "active",
        "last_seen_at",
        "echo_result",
    )
    list_filter = ("active", "modality", "resource")
    list_select_related = ("resource",)
    search_fields = ("name", "ae_title", "host", "station_name")
    autocomplete_fields = ("resource",)
    readonly_fields = ("last_seen_at", "echoed_at", "echo_result")
    actions = ("test_connection",)
    fieldsets = (
        (None, {"fields": ("name", "ae_title", "modality", "station_name", "resource")}),
        (_("Where it is"), {"fields": ("host", "port", "check_address")}),
        (
            _("What it may do"),
            {
                "fields": (
                    "active",
                    "may_store",
                    "may_query",
                    "may_read_worklist",
                    "only_own_steps",
                    "may_report_steps",
                )
            },
        ),
        (_("What it can read"), {"fields": ("character_set",)}),
        (_("Connection"), {"fields": ("last_seen_at", "echoed_at", "echo_result")}),
    )

    @admin.action(description=_("Test the connection (C-ECHO)"), permissions=["change"])
    def test_connection(self, request: HttpRequest, devices: models.QuerySet[Device]) -> None:
        """One line per device, with what it said."""
        for device in devices:
            self._echo(request, device)

    def response_change(self, request: HttpRequest, obj: Device) -> HttpResponse:
        """The button on the form saves first: what is on the screen is what is tested."""
        if "_echo" in request.POST:
            self._echo(request, obj)
            return HttpResponseRedirect(request.path)
        return super().response_change(request, obj)

    def _echo(self, request: HttpRequest, device: Device) -> None:
        result = echo(device, origin=origin_of(request))
        level = messages.SUCCESS if result.success else messages.ERROR
        text = _("%(device)s: %(result)s (%(milliseconds)d ms)") % {
            "device": device,
            "result": result.message,
            "milliseconds": result.milliseconds,
        }
        messages.add_message(request, level, text)
