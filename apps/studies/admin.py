"""The archive in the back office: the index to look at, the ingest queue to act on."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action
from apps.audit.services import origin_of
from apps.studies.forms import CoercionRuleForm
from apps.studies.models import (
    CoercionRule,
    Conflict,
    Correction,
    Instance,
    Label,
    Series,
    SpoolFile,
    Study,
)
from apps.studies.services import (
    NotFailedError,
    discard_file,
    forget_rules,
    queued_file,
    retry_file,
)
from apps.studies.spool import default_spool
from apps.studies.tasks import nudge

LISTED = 200  # files of each kind on the page


@admin.register(Study)
class StudyAdmin(PolicyAdmin[Study]):
    list_display = (
        "patient_identifier",
        "name_as_sent",
        "study_date",
        "modalities",
        "accession_number",
        "status",
        "match",
        "series_count",
        "instance_count",
        "received_at",
    )
    list_filter = ("status", "match", "study_date")
    search_fields = ("study_instance_uid", "=patient_identifier", "=accession_number")
    date_hierarchy = "study_date"
    show_full_result_count = False

    @admin.display(description=_("patient name"), ordering="patient_name")
    def name_as_sent(self, study: Study) -> str:
        return study.shown_name


@admin.register(Series)
class SeriesAdmin(PolicyAdmin[Series]):
    list_display = ("series_instance_uid", "modality", "number", "description", "instance_count")
    list_filter = ("modality",)
    search_fields = ("series_instance_uid", "=study__study_instance_uid")
    show_full_result_count = False


@admin.register(Instance)
class InstanceAdmin(PolicyAdmin[Instance]):
    list_display = ("sop_instance_uid", "sop_class_uid", "number", "size", "source", "received_at")
    search_fields = ("sop_instance_uid", "=series__series_instance_uid")
    exclude = ("header", "frame_table", "bulk_table")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("header", "frame_table", "bulk_table")


@admin.register(CoercionRule)
class CoercionRuleAdmin(PolicyAdmin[CoercionRule]):
    form = CoercionRuleForm
    list_display = ("name", "device", "group", "attribute", "action", "value", "position", "active")
    list_filter = ("active", "action")
    search_fields = ("name", "attribute", "device__ae_title", "group")
    autocomplete_fields = ("device",)
    list_select_related = ("device",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_rules()


@admin.register(Label)
class LabelAdmin(PolicyAdmin[Label]):
    """The vocabulary: renamed, coloured and deleted here; hung on studies elsewhere."""

    list_display = ("name", "colour", "borne_by")
    list_filter = ("colour",)
    search_fields = ("name",)
    fields = ("name", "colour")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(borne=Count("labellings"))

    @admin.display(description=_("studies"), ordering="borne")
    def borne_by(self, label: Any) -> int:
        return int(label.borne)


@admin.register(Correction)
class CorrectionAdmin(PolicyAdmin[Correction]):
    """Corrections are made and undone on the page of their study."""

    list_display = ("at", "study", "label", "source", "reason", "user", "undone_at")
    list_filter = ("source", "at")
    search_fields = ("=study__study_instance_uid", "=study__accession_number")
    list_select_related = ("study", "user")
    raw_id_fields = ("study", "series", "instance")
    show_full_result_count = False


@admin.register(Conflict)
class ConflictAdmin(PolicyAdmin[Conflict]):
    """Conflicts are decided in the quality room."""

    list_display = ("received_at", "sop_instance_uid", "source", "reason", "state", "decision")
    list_filter = ("state", "received_at")
    search_fields = ("=sop_instance_uid", "=study_instance_uid")
    raw_id_fields = ("instance",)
    show_full_result_count = False


@admin.register(SpoolFile)
class IngestQueueAdmin(PolicyAdmin[SpoolFile]):
    """Waiting and failed files. Failed ones can be tried again or discarded."""

    ACTIONS: ClassVar[dict[str, Action]] = {"retry": Action.CHANGE, "discard": Action.DELETE}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> SpoolFile | None:
        """Files are no rows: there is no page of a single one."""
        return None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._act(request)
        spool = default_spool()
        waiting, failed = spool.waiting(), spool.failed()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Ingest queue"),
            "opts": self.model._meta,
            "waiting": [line for path in waiting[:LISTED] if (line := queued_file(path))],
            "failed": [line for path in failed[-LISTED:][::-1] if (line := queued_file(path))],
            "waiting_count": len(waiting),
            "failed_count": len(failed),
            "may_retry": self.may(request, Action.CHANGE),
            "may_discard": self.may(request, Action.DELETE),
        }
        return TemplateResponse(request, "admin/studies/ingest_queue.html", context)

    def _act(self, request: HttpRequest) -> HttpResponse:
        verb, name = request.POST.get("verb", ""), request.POST.get("name", "")
        if verb not in self.ACTIONS or not self.may(request, self.ACTIONS[verb]):
            raise PermissionDenied
        try:
            if verb == "retry":
                nudge([retry_file(name, origin=origin_of(request)).name])
                messages.success(request, _("The file is back in the queue."))
            else:
                discard_file(name, origin=origin_of(request))
                messages.success(request, _("The file was discarded."))
        except NotFailedError as error:
            messages.warning(request, str(error))
        return redirect("admin:studies_spoolfile_changelist")
