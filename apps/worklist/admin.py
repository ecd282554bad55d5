"""Scheduled and performed steps, looked at. Devices are in apps.dimse.admin: they need an echo."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin
from apps.worklist.models import PerformedStep, ScheduledStep, WorklistQuery
from apps.worklist.services.explaining import asked_of, misses_of


@admin.register(ScheduledStep)
class ScheduledStepAdmin(PolicyAdmin[ScheduledStep]):
    list_display = ("identifier", "starts_at", "modality", "accession_number", "status")
    list_filter = ("status", "modality", ("starts_at", admin.DateFieldListFilter))
    list_select_related = ("requested_procedure__order",)
    search_fields = ("=identifier", "=requested_procedure__order__accession_number")
    search_help_text = _("Step ID or accession number, in full.")

    @admin.display(description=_("accession number"))
    def accession_number(self, step: ScheduledStep) -> str:
        return step.requested_procedure.order.accession_number


@admin.register(PerformedStep)
class PerformedStepAdmin(PolicyAdmin[PerformedStep]):
    list_display = ("sop_instance_uid", "ae_title", "modality", "status", "started_at", "ended_at")
    list_filter = ("status", "modality", ("started_at", admin.DateFieldListFilter))
    search_fields = ("=sop_instance_uid", "=study_instance_uid", "=ae_title")
    search_help_text = _("SOP Instance UID, Study Instance UID or AE title, in full.")


@admin.register(WorklistQuery)
class WorklistQueryAdmin(PolicyAdmin[WorklistQuery]):
    """What devices asked, and which exams of that day they were not shown, and why."""

    look_only = True
    list_display = ("asked_at", "device", "narrowed", "answers", "cut", "times", "milliseconds")
    list_filter = ("device", ("asked_at", admin.DateFieldListFilter), "cut")
    list_select_related = ("device",)
    fields = (
        *("device", "asked_at", "times", "narrowed", "zone_minutes"),
        *("answers", "cut", "milliseconds", "not_shown"),
    )

    @admin.display(description=_("asked for"))
    def narrowed(self, query: WorklistQuery) -> str:
        return format_html_join("", "<div>{}: {}</div>", asked_of(query)) or gettext("everything")

    @admin.display(description=_("not shown, and why"))
    def not_shown(self, query: WorklistQuery) -> str:
        lines = ((miss["step"], miss["label"], miss["value"] or "–") for miss in misses_of(query))
        return format_html_join("", "<div>{}: {} ({})</div>", lines) or "–"
