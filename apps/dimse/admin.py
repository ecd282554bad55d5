"""Devices: who may connect, what each may do, and whether it answers."""

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin
from apps.audit.services import origin_of
from apps.dimse.device_form import DeviceForm
from apps.dimse.services import echo
from apps.dimse.services.activity import last_deeds
from apps.worklist.models import Device

SECTIONS: tuple[Any, ...] = (
    (None, {"fields": ("name", "ae_title", "modality", "station_name", "resource", "group")}),
    (
        _("Where it is"),
        {
            "fields": (("host", "port"), "active", "check_address", "max_associations"),
            "description": _(
                "An AE title alone proves nothing: tie it to its address wherever addresses are "
                "fixed, or to a certificate or password below."
            ),
        },
    ),
    (
        _("What it may do here"),
        {
            "fields": (
                "may_store",
                "may_query",
                "may_retrieve",
                "may_read_worklist",
                "may_report_steps",
                "private_classes",
            ),
            "description": _("Give only what it needs: a SOP class it may not use is rejected."),
        },
    ),
    (
        _("Its worklist"),
        {"fields": ("only_own_steps", "only_own_modality", "hidden_statuses")},
    ),
    (_("What it can read"), {"fields": ("character_set", "name_length")}),
    (
        _("What we send to it"),
        {
            "fields": (
                "may_receive",
                "wants_availability",
                "accepted_syntaxes",
                "preferred_syntax",
                "parallel_associations",
            ),
        },
    ),
    (_("What we ask of it"), {"fields": ("may_commit", "retrieve_by_get")}),
    (
        _("How it proves who it is"),
        {
            "fields": (
                "require_tls",
                "certificate_sha256",
                "certificate_file",
                "identity_user",
                "new_password",
                "forget_password",
                "tls",
            ),
            "classes": ("collapse",),
        },
    ),
    (_("What it did last"), {"fields": ("last_seen_at", "echoed_at", "echo_result", "deeds")}),
)


@admin.register(Device)
class DeviceAdmin(PolicyAdmin[Device]):
    form = DeviceForm
    list_display = (
        "name",
        "ae_title",
        "modality",
        "resource",
        "active",
        "last_seen_at",
        "echo_result",
    )
    list_filter = ("active", "modality", "resource", "group")
    list_select_related = ("resource",)
    search_fields = ("name", "ae_title", "host", "station_name", "group")
    autocomplete_fields = ("resource",)
    readonly_fields = ("last_seen_at", "echoed_at", "echo_result", "deeds")
    actions = ("test_connection",)
    fieldsets = SECTIONS

    @admin.action(description=_("Test the connection (C-ECHO)"), permissions=["change"])
    def test_connection(self, request: HttpRequest, devices: models.QuerySet[Device]) -> None:
        """One line per device, with what it said."""
        for device in devices:
            self._echo(request, device)

    @admin.display(description=_("lately"))
    def deeds(self, device: Device) -> str:
        lines = ((deed.at, deed.text) for deed in last_deeds(device))
        return format_html_join("", "<div>{} {}</div>", lines) or "–"  # noqa: RUF001

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
