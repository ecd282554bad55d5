"""Workitems, who is told of them and of what; looked at, never typed in."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.accounts.admin import PolicyAdmin
from apps.workitems.models import Subscription, Workitem, WorkitemEvent


@admin.register(Workitem)
class WorkitemAdmin(PolicyAdmin[Workitem]):
    list_display = ("label", "worklist_label", "scheduled_start", "priority", "state", "changed_at")
    list_filter = ("state", "priority", ("scheduled_start", admin.DateFieldListFilter))
    search_fields = ("=sop_instance_uid", "=study_instance_uid", "=patient_number")
    search_help_text = _("SOP Instance UID, Study Instance UID or patient number, in full.")
    exclude = ("transaction_digest", "patient_name")


@admin.register(Subscription)
class SubscriptionAdmin(PolicyAdmin[Subscription]):
    list_display = ("ae_title", "scope", "workitem", "active", "deletion_lock", "suspended_at")
    list_filter = ("scope", "active")
    list_select_related = ("workitem",)
    search_fields = ("=ae_title",)


@admin.register(WorkitemEvent)
class WorkitemEventAdmin(PolicyAdmin[WorkitemEvent]):
    ordering = ("-id",)
    list_display = ("at", "kind", "workitem")
    list_filter = ("kind", ("at", admin.DateFieldListFilter))
    list_select_related = ("workitem",)
    search_fields = ("=workitem__sop_instance_uid",)
