"""Reports in the back office: templates are written here, reports are looked at."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin, PolicyTabularInline
from apps.reports.models import Report, ReportTemplate, ReportVersion


@admin.register(ReportTemplate)
class ReportTemplateAdmin(PolicyAdmin[ReportTemplate]):
    """Text that reports start from."""

    list_display = ("name", "modality", "procedure_count", "active")
    list_filter = ("active", "modality")
    search_fields = ("name", "findings", "impression")
    filter_horizontal = ("procedures",)
    fields = ("name", "active", "modality", "procedures", "technique", "findings", "impression")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ReportTemplate]:
        return super().get_queryset(request).annotate(used=models.Count("procedures"))

    @admin.display(description=_("procedures"), ordering="used")
    def procedure_count(self, template: ReportTemplate) -> Any:
        return getattr(template, "used", 0) or _("any")


class ReportVersionInline(PolicyTabularInline):
    model = ReportVersion
    fields = readonly_fields = ("number", "status", "signer", "signed_at", "pdf_sha256")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[ReportVersion]:
        return ReportVersion.objects.without_pdf()


@admin.register(Report)
class ReportAdmin(PolicyAdmin[Report]):
    """To look at only: reports are written and signed on the reporting page."""

    list_display = ("order", "status", "claimed_by", "revision", "created_at", "updated_at")
    list_filter = ("status",)
    list_select_related = ("order", "claimed_by")
    search_fields = ("order__accession_number",)
    date_hierarchy = "created_at"
    inlines = (ReportVersionInline,)
