"""Patients, looked at; and the issuers of numbers."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin, PolicyTabularInline
from apps.patients.models import Issuer, Patient, PatientIdentifier


class PatientIdentifierInline(PolicyTabularInline):
    model = PatientIdentifier
    fields = ("value", "issuer", "type_code", "preferred")


@admin.register(Patient)
class PatientAdmin(PolicyAdmin[Patient]):
    list_display = ("display_name", "number", "display_birth_date", "sex", "status")
    list_filter = ("status", "sex")
    search_fields = ("search_name", "identifiers__value")
    search_help_text = _("Name or identifier.")
    inlines = (PatientIdentifierInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patient]:
        return super().get_queryset(request).prefetch_related("identifiers")

    @admin.display(description=_("number"))
    def number(self, patient: Patient) -> str:
        return str(patient.primary_identifier or "")


@admin.register(Issuer)
class IssuerAdmin(PolicyAdmin[Issuer]):
    """The next number is looked at, not typed in: it is counted up under a lock."""

    list_display = ("namespace", "purpose", "mints", "prefix", "width", "next_number")
    list_filter = ("purpose", "mints")
    search_fields = ("namespace", "universal_id")
    readonly_fields = ("next_number",)
