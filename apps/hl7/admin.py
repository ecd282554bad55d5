"""Partners are set up here; messages are looked at, and sent again where given up."""

from typing import ClassVar

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action
from apps.audit.services import origin_of
from apps.hl7.models import Message, Partner
from apps.hl7.reading import readable
from apps.hl7.services.outbox import ResendRefused, resend


@admin.register(Partner)
class PartnerAdmin(PolicyAdmin[Partner]):
    list_display = (
        "name",
        "application",
        "facility",
        "may_send_patients",
        "may_send_orders",
        "receives_results",
        "active",
    )
    list_filter = ("active", "receives_results")
    search_fields = ("name", "application", "facility", "host")
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (_("How it names itself"), {"fields": ("application", "facility", "address")}),
        (_("What it may send"), {"fields": ("may_send_patients", "may_send_orders")}),
        (_("What it receives"), {"fields": ("receives_results", "host", "port")}),
        (_("How it is read"), {"fields": ("patient_issuer", "character_set", "time_zone")}),
    )


@admin.register(Message)
class MessageAdmin(PolicyAdmin[Message]):
    """The log of messages. Rows are written by the door only."""

    look_only = True
    list_display = (
        "created_at",
        "direction",
        "partner",
        "message_type",
        "control_id",
        "status",
        "attempts",
        "error",
    )
    list_filter = ("status", "direction", "partner", "message_type")
    list_select_related = ("partner",)
    search_fields = ("control_id",)
    date_hierarchy = "created_at"
    ordering = ("-id",)
    actions = ("send_again",)
    fields = (
        "direction",
        "partner",
        "message_type",
        "control_id",
        "status",
        "created_at",
        "happened_at",
        "repeats",
        "attempts",
        "next_attempt_at",
        "error",
        "text",
        "answer",
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("text", "answer")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Message]:
        rows = super().get_queryset(request)
        listing = request.resolver_match and request.resolver_match.url_name
        # A message may hold a PDF: a list of them does not load it.
        return rows.defer("raw", "acknowledgement") if str(listing).endswith("list") else rows

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.CHANGE)

    @admin.display(description=_("message"))
    def text(self, message: Message) -> str:
        return format_html("<pre>{}</pre>", readable(bytes(message.raw), message.partner))

    @admin.display(description=_("acknowledgement"))
    def answer(self, message: Message) -> str:
        raw = bytes(message.acknowledgement or b"")
        return format_html("<pre>{}</pre>", readable(raw, message.partner))

    @admin.action(description=_("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, rows: models.QuerySet[Message]) -> None:
        sent = 0
        for message in rows.order_by("id"):
            try:
                resend(message, origin=origin_of(request))
                sent += 1
            except ResendRefused as error:
                messages.warning(request, f"{message}: {error}")
        if sent:
            text = ngettext(
                "%(count)d message will be sent again.",
                "%(count)d messages will be sent again.",
                sent,
            )
            messages.success(request, text % {"count": sent})
