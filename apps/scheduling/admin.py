"""Rooms and their opening hours; appointments, looked at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin, PolicyTabularInline
from apps.scheduling.models import Appointment, OpeningHours, Resource


class OpeningHoursInline(PolicyTabularInline):
    model = OpeningHours


@admin.register(Resource)
class ResourceAdmin(PolicyAdmin[Resource]):
    list_display = ("name", "location", "modality", "active")
    list_filter = ("modality", "active")
    search_fields = ("name", "location")
    autocomplete_fields = ("procedures",)
    inlines = (OpeningHoursInline,)


@admin.register(Appointment)
class AppointmentAdmin(PolicyAdmin[Appointment]):
    list_display = ("starts_at", "resource", "order", "status")
    list_filter = ("status", "resource", ("starts_at", admin.DateFieldListFilter))
    list_select_related = ("resource", "order")
    search_fields = ("=order__accession_number",)
    search_help_text = _("Accession number, in full.")
