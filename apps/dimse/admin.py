"""Devices: who may connect, what each may do, whether it answers, and what was promised."""

from collections import Counter
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action
from apps.audit.services import origin_of
from apps.dimse import tasks
from apps.dimse.conformance import conformance_statement
from apps.dimse.device_form import DeviceForm
from apps.dimse.models import CommitmentInquiry, CommitmentRequest, CommittedInstance
from apps.dimse.services import echo, reason_text, report_again
from apps.dimse.services.activity import last_deeds
from apps.worklist.models import Device

SHOWN = 100  # instances of one request
SECTIONS: tuple[Any, ...] = (
    (None, {"fields": ("name", "ae_title", "modality", "station_name", "resource", "group")}),
    (
        _("Where it is"),
        {
            "fields": (("host", "port"), "tls", "active", "check_address", "max_associations"),
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
            ),
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

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.conformance)
        return [path("conformance/", page, name="conformance"), *super().get_urls()]

    def conformance(self, request: HttpRequest) -> HttpResponse:
        """The conformance statement of this installation, to read and to print."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        statement = conformance_statement(list(Device.objects.all()))
        context = {
            **self.admin_site.each_context(request),
            "title": statement.title,
            "statement": statement,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/worklist/device/conformance.html", context)

    @admin.action(description=_("Test the connection (C-ECHO)"), permissions=["change"])
    def test_connection(self, request: HttpRequest, devices: models.QuerySet[Device]) -> None:
        """One line per device, with what it said."""
        for device in devices:
            self._echo(request, device)

    @admin.display(description=_("lately"))
    def deeds(self, device: Device) -> str:
        lines = ((deed.at, deed.text) for deed in last_deeds(device))
        return format_html_join("", "<div>{} {}</div>", lines) or "–"

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


@admin.register(CommitmentRequest)
class CommitmentRequestAdmin(PolicyAdmin[CommitmentRequest]):
    """What devices asked us to keep. Rows are written by the door only."""

    look_only = True
    list_display = (
        "asked_at",
        "device",
        "transaction_uid",
        "status",
        "instance_count",
        "failure_count",
        "attempts",
        "error",
    )
    list_filter = ("status", "device")
    list_select_related = ("device",)
    search_fields = ("transaction_uid",)
    date_hierarchy = "asked_at"
    ordering = ("-id",)
    actions = ("report_again",)
    fields = (
        ("device", "address"),
        "transaction_uid",
        ("status", "asked_at", "verified_at", "told_at"),
        ("attempts", "next_attempt_at", "error"),
        "instance_count",
        "not_safe",
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("instance_count", "not_safe")

    def has_report_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.CHANGE)

    @admin.display(description=_("instances"))
    def instance_count(self, row: CommitmentRequest) -> int:
        return len(row.references)

    @admin.display(description=_("not safe"))
    def failure_count(self, row: CommitmentRequest) -> int:
        return len(row.failures)

    @admin.display(description=_("not safe"))
    def not_safe(self, row: CommitmentRequest) -> str:
        lines = [(uid, reason_text(reason)) for _class, uid, reason in row.failures[:SHOWN]]
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"

    @admin.action(description=_("Verify and report again"), permissions=["report"])
    def report_again(self, request: HttpRequest, rows: models.QuerySet[CommitmentRequest]) -> None:
        """Each is read once more; the device is called with what is true now."""
        for row in rows:
            tasks.nudge(tasks.settle_commitment, report_again(row).pk)
        text = ngettext(
            "%(count)d request is verified and reported again.",
            "%(count)d requests are verified and reported again.",
            len(rows),
        )
        messages.success(request, text % {"count": len(rows)})


@admin.register(CommitmentInquiry)
class CommitmentInquiryAdmin(PolicyAdmin[CommitmentInquiry]):
    """What we asked other archives to confirm. Rows are written by the door only."""

    look_only = True
    list_display = (
        "asked_at",
        "device",
        "transaction_uid",
        "status",
        "reported_at",
        "attempts",
        "error",
    )
    list_filter = ("status", "device")
    list_select_related = ("device",)
    search_fields = ("transaction_uid", "instances__sop_instance_uid")
    date_hierarchy = "asked_at"
    ordering = ("-id",)
    fields = (
        "device",
        "transaction_uid",
        ("status", "asked_at", "reported_at"),
        ("attempts", "next_attempt_at", "error"),
        "outcomes",
        "not_safe",
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("outcomes", "not_safe")

    @admin.display(description=_("instances"))
    def outcomes(self, row: CommitmentInquiry) -> str:
        counts = Counter(row.instances.values_list("outcome", flat=True))
        told = [(CommittedInstance.Outcome(one).label, count) for one, count in counts.items()]
        return format_html_join("", "<div>{}: {}</div>", told)

    @admin.display(description=_("not safe there"))
    def not_safe(self, row: CommitmentInquiry) -> str:
        failed = row.instances.filter(outcome=CommittedInstance.Outcome.FAILED)[:SHOWN]
        lines = [(one.sop_instance_uid, reason_text(one.failure_reason)) for one in failed]
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"
