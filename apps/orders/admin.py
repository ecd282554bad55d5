"""The catalogue and the referrers; orders, looked at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin, PolicyTabularInline
from apps.orders.models import Order, Procedure, Referrer, RequestedProcedure


@admin.register(Procedure)
class ProcedureAdmin(PolicyAdmin[Procedure]):
    list_display = ("code", "meaning", "modality", "body_part", "duration_minutes", "active")
    list_display_links = ("code", "meaning")
    list_filter = ("modality", "active")
    search_fields = ("code", "meaning", "body_part")
    fieldsets = (
        (None, {"fields": ("code", "scheme", "meaning", "modality", "body_part", "active")}),
        (_("Doing it"), {"fields": ("duration_minutes", "preparation", "contrast_agent")}),
        (_("Protocol"), {"fields": ("protocol_code", "protocol_meaning")}),
    )


@admin.register(Referrer)
class ReferrerAdmin(PolicyAdmin[Referrer]):
    list_display = ("code", "__str__", "phone", "email", "user")
    list_display_links = ("code", "__str__")
    list_select_related = ("user",)
    search_fields = ("code", "family_name", "given_name", "email")
    autocomplete_fields = ("user",)


class RequestedProcedureInline(PolicyTabularInline):
    model = RequestedProcedure
    fields = ("identifier", "meaning", "code", "laterality", "study_instance_uid")


@admin.register(Order)
class OrderAdmin(PolicyAdmin[Order]):
    list_display = (
        "accession_number",
        "patient",
        "status",
        "priority",
        "referrer",
        "requested_at",
    )
    list_filter = ("status", "priority", ("requested_at", admin.DateFieldListFilter))
    list_select_related = ("patient", "referrer")
    search_fields = ("=accession_number", "=placer_number", "=filler_number")
    search_help_text = _("Accession, placer or filler number, in full.")
    inlines = (RequestedProcedureInline,)
