"""The journal: looked at, searched, exported and proved; never written here."""

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action
from apps.audit.models import Event, Kind
from apps.audit.paginator import OpenEndedPaginator
from apps.audit.services import broken_links, origin_of, record

COLUMNS = (
    "id",
    "at",
    "kind",
    "user__username",
    "protocol",
    "peer",
    "address",
    "subject_type",
    "subject_id",
    "patient_id",
    "accession_number",
    "study_instance_uid",
    "position",
    "digest",
)
SHOWN_LINKS = 20


class Line:
    """A file for csv that gives every line back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


@admin.register(Event)
class EventAdmin(PolicyAdmin[Event]):
    list_display = (
        "at",
        "kind",
        "who",
        "protocol",
        "address",
        "subject",
        "accession_number",
    )
    list_filter = (("at", admin.DateFieldListFilter), "kind")
    list_select_related = ("user",)
    search_fields = ("accession_number",)
    search_help_text = gettext_lazy(
        "Accession number, Study Instance UID, patient key or user name, in full."
    )
    paginator = OpenEndedPaginator
    show_full_result_count = False
    ordering = ("-id",)
    sortable_by = ()
    actions = ("export",)
    fieldsets = (
        (None, {"fields": ("kind", "at", "user", "protocol", "peer", "address")}),
        (
            gettext_lazy("About"),
            {
                "fields": (
                    "subject_type",
                    "subject_id",
                    "patient_id",
                    "accession_number",
                    "study_instance_uid",
                    "details",
                )
            },
        ),
        (gettext_lazy("Chain"), {"fields": ("position", "digest", "delivered_at")}),
    )

    @admin.display(description=gettext_lazy("who"))
    def who(self, event: Event) -> str:
        return event.user.username if event.user else event.peer

    @admin.display(description=gettext_lazy("about"))
    def subject(self, event: Event) -> str:
        return f"{event.subject_type.rpartition('.')[2]} {event.subject_id}".strip()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Exact numbers only, each through its index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = (
            Q(accession_number=term)
            | Q(study_instance_uid=term)
            | Q(user__username=term)
            | Q(user=None, peer=term)
        )
        if term.isdecimal() and len(term) < 19:
            wanted |= Q(patient_id=int(term))
        return queryset.filter(wanted), False

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.may(request, Action.EXPORT)

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["export"])
    def export(self, request: HttpRequest, events: QuerySet[Event]) -> StreamingHttpResponse:
        """The chosen rows as a CSV file; that they left is a row of its own."""
        record(
            Kind.JOURNAL_EXPORTED,
            None,
            origin=origin_of(request),
            details={"rows": events.count()},
        )
        return StreamingHttpResponse(
            _csv_lines(events),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="journal.csv"'},
        )

    def get_urls(self) -> list[URLPattern]:
        check = self.admin_site.admin_view(require_POST(self.check_chain))
        return [path("check/", check, name="audit_event_check"), *super().get_urls()]

    def check_chain(self, request: HttpRequest) -> HttpResponse:
        """Follow the hash chain from the first row to the last and say what does not fit."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        broken = broken_links()
        if broken:
            places = ", ".join(str(position) for position in broken[:SHOWN_LINKS])
            messages.error(request, _("The chain is broken at position %s.") % places)
        else:
            messages.success(request, _("The chain holds: no row was changed or removed."))
        return redirect("admin:audit_event_changelist")


def _csv_lines(events: QuerySet[Event]) -> Iterator[str]:
    writer: Any = csv.writer(Line())
    yield writer.writerow(COLUMNS)
    for row in events.values_list(*COLUMNS).iterator(chunk_size=2000):
        yield writer.writerow([_inert(value) for value in row])


def _inert(value: Any) -> str:
    # A spreadsheet runs what begins like a formula, and peers choose their own names.
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
