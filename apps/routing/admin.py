"""Rules are made and tried here; transfers are looked at, sent again, changed and dropped."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action, visible
from apps.audit.services import origin_of
from apps.routing.forms import TryForm, destinations
from apps.routing.models import Rule, Transfer
from apps.routing.services import SendingRefused, change_destination, drop, send_again, verdicts
from apps.studies.models import Study
from apps.worklist.models import Device


@admin.register(Rule)
class RuleAdmin(PolicyAdmin[Rule]):
    list_display = ("name", "active", "which", "to", "delay_minutes", "priority")
    list_filter = ("active", "destinations", "priority")
    list_select_related = ("source", "referrer")
    search_fields = ("name", "description")
    autocomplete_fields = ("source", "referrer")
    filter_horizontal = ("destinations",)
    fieldsets = (
        (None, {"fields": ("name", "active")}),
        (
            _("Which studies"),
            {
                "fields": (
                    "modalities",
                    "source",
                    "source_group",
                    "referrer",
                    "description",
                    "matched_only",
                ),
                "description": _("A study is sent when it is complete and fits all of these."),
            },
        ),
        (_("Where"), {"fields": ("destinations", "delay_minutes", "priority")}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related("destinations")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.try_rules)
        return [path("try/", view, name="routing_rule_try"), *super().get_urls()]

    @admin.display(description=_("which studies"))
    def which(self, rule: Rule) -> str:
        return "; ".join(rule.conditions) or str(_("all"))

    @admin.display(description=_("send to"))
    def to(self, rule: Rule) -> str:
        return ", ".join(one.name for one in rule.destinations.all())

    def try_rules(self, request: HttpRequest) -> HttpResponse:
        """Which rules fit a study, and where it would be sent."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.GET or None)
        study = self._study(request, form) if form.is_valid() else None
        said = verdicts(study) if study else []
        context = {
            **self.admin_site.each_context(request),
            "title": _("Try the rules"),
            "opts": self.model._meta,
            "form": form,
            "study": study,
            "verdicts": said,
            "devices": list(dict.fromkeys(one for verdict in said for one in verdict.destinations)),
        }
        return TemplateResponse(request, "admin/routing/rule/try.html", context)

    def _study(self, request: HttpRequest, form: TryForm) -> Study | None:
        words = form.cleaned_data["study"].strip()
        named = models.Q(study_instance_uid=words) | models.Q(accession_number=words)
        found = visible(request.user, Study).filter(named).order_by("-id").first()
        if found is None:
            form.add_error("study", _("No study has this number."))
        return found


class TransferActionForm(ActionForm):
    """What the actions of the list need beside the rows."""

    destination: Any = forms.ModelChoiceField(
        label=_("Destination"), queryset=Device.objects.none(), required=False
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["destination"].queryset = destinations()


class HowLongAgo(admin.SimpleListFilter):
    """By age: what should have arrived long ago."""

    title = _("age")
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("Older than an hour")), ("24", _("Older than a day"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        hours = self.value()
        if hours not in ("1", "24"):
            return queryset
        return queryset.older_than(datetime.timedelta(hours=int(hours)))


@admin.register(Transfer)
class TransferAdmin(PolicyAdmin[Transfer]):
    """The queue. Rows are written by rules and by people's requests only."""

    look_only = True
    action_form = TransferActionForm
    list_display = (
        "created_at",
        "to",
        "accession_number",
        "what",
        "status",
        "attempts",
        "next_attempt_at",
        "error",
    )
    list_filter = ("status", HowLongAgo, "content", "destination", "rule")
    list_select_related = ("destination", "study")
    search_fields = ("=study__accession_number", "=study__study_instance_uid")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    actions = ("send_again", "change_destination", "drop")
    exclude = ("key", "lease_until", "token", "unreached")
    show_full_result_count = False

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.CHANGE)

    def has_drop_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.DELETE)

    @admin.display(description=_("to"), ordering="destination__name")
    def to(self, transfer: Transfer) -> str:
        return transfer.destination.name

    @admin.display(description=_("images"))
    def what(self, transfer: Transfer) -> str:
        if transfer.content == Transfer.Content.AVAILABILITY:
            return transfer.get_content_display()
        return f"{transfer.sent_count} / {transfer.total_count}"

    @admin.display(description=_("last error"))
    def error(self, transfer: Transfer) -> str:
        return Truncator(transfer.last_error).chars(40)

    @admin.display(description=_("accession number"))
    def accession_number(self, transfer: Transfer) -> str:
        return transfer.study.accession_number

    @admin.action(description=_("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, rows: models.QuerySet[Transfer]) -> None:
        self._each(request, rows, lambda row: send_again(row, origin=origin_of(request)))

    @admin.action(description=_("Send to the destination chosen"), permissions=["resend"])
    def change_destination(self, request: HttpRequest, rows: models.QuerySet[Transfer]) -> None:
        device = destinations().filter(pk=_number(request, "destination")).first()
        if device is None:
            messages.warning(request, _("Choose a destination beside the action."))
            return
        self._each(
            request,
            rows,
            lambda row: change_destination(row, destination=device, origin=origin_of(request)),
        )

    @admin.action(description=_("Drop, for the reason given"), permissions=["drop"])
    def drop(self, request: HttpRequest, rows: models.QuerySet[Transfer]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            messages.warning(request, _("Give the reason beside the action."))
            return
        self._each(request, rows, lambda row: drop(row, reason=reason, origin=origin_of(request)))

    def _each(self, request: HttpRequest, rows: models.QuerySet[Transfer], verb: Any) -> None:
        """Do it to each; one that refuses does not keep the others from it."""
        done = 0
        for row in rows.order_by("id"):
            try:
                verb(row)
                done += 1
            except SendingRefused as refusal:
                messages.warning(request, f"{row}: {refusal}")
        if done:
            text = ngettext("Done for %(count)d transfer.", "Done for %(count)d transfers.", done)
            messages.success(request, text % {"count": done})


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
