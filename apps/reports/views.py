"""The reading room: the list, the reporting page, signed sheets."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django.views.generic import ListView

from apps.accounts.policy import Action, can, visible
from apps.audit.services import origin_of
from apps.orders.models import Order
from apps.orders.services import OrderRefused
from apps.reports import services
from apps.reports.forms import AddendumForm, ReportForm, SignForm
from apps.reports.models import Report, ReportTemplate, ReportVersion
from apps.studies.chosen import chosen_studies
from apps.studies.models import Study
from apps.studies.services import identity_of, not_of

Status = Report.Status
# The tabs of the reading list and the states they hold.
TABS: dict[str, tuple[Any, tuple[Status, ...]]] = {
    "ready": (gettext_lazy("Ready"), (Status.UNREAD, Status.CLAIMED)),
    "drafted": (gettext_lazy("Drafted"), (Status.DRAFT,)),
    "to-sign": (gettext_lazy("To sign"), (Status.PRELIMINARY,)),
    "done": (gettext_lazy("Done"), (Status.FINAL, Status.ADDENDED, Status.CORRECTED)),
}
ROW_LIMIT = 300
AT_ONCE = 64  # studies that a viewer may show together

# What a refusal of the services is for a browser.
CODES: dict[type[ValueError], int] = {
    services.NotAllowed: 403,
    services.EmptyReport: 422,
    services.StaleRevision: 409,
    services.ClaimedByAnother: 409,
    services.AlreadyFinal: 409,
    services.NotFinal: 409,
    services.NothingToRead: 409,
    services.OtherPatientShown: 409,
    services.ForeignImage: 409,
    services.TooManyPictures: 409,
}
REFUSALS = (services.ReportRefused, OrderRefused)


class ReadingList(ListView[Report]):
    """What waits for a radiologist, most urgent first; reloads itself in place."""

    context_object_name = "reports"

    def get_template_names(self) -> list[str]:
        fragment = "HX-Request" in self.request.headers
        return ["reports/_reading_rows.html" if fragment else "reports/reading_list.html"]

    @property
    def tab(self) -> str:
        asked = self.request.GET.get("tab", "ready")
        return asked if asked in TABS else "ready"

    def get_queryset(self) -> QuerySet[Report]:
        rows = self._in_modality().filter(status__in=TABS[self.tab][1]).for_reading_list()
        ordered = rows.order_by("-updated_at") if self.tab == "done" else rows.most_urgent_first()
        shown: QuerySet[Report] = ordered[:ROW_LIMIT]
        return shown

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        counted = self._in_modality().order_by().values_list("status").annotate(Count("id"))
        counts = dict(counted)
        tabs = [
            (key, label, sum(counts.get(status, 0) for status in states))
            for key, (label, states) in TABS.items()
        ]
        return super().get_context_data(
            tabs=tabs,
            tab=self.tab,
            modality=self.request.GET.get("modality", ""),
            narrowed=_narrowed(self.request),
            modalities=Report.objects.modalities(),
            limit=ROW_LIMIT,
            **kwargs,
        )

    def _in_modality(self) -> Any:
        rows = visible(self.request.user, Report)
        modality = self.request.GET.get("modality", "")
        return rows.with_modality(modality) if modality else rows  # type: ignore[attr-defined]  # reports


@require_GET
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _report(request, pk))


@require_POST
def claim(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.claim_report, then="reports:edit")


@require_POST
def take_over(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.take_over_report, then="reports:edit")


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, services.release_report, then="reports:reading-list")


@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the draft: a line of status for the page that saves by itself, else the page."""
    report, form = _report(request, pk), ReportForm(request.POST)
    code = 200 if form.is_valid() else 422
    if code == 200:
        try:
            report = services.save_draft(
                report,
                text=form.text,
                revision=form.cleaned_data["revision"],
                origin=origin_of(request),
            )
        except REFUSALS as refusal:
            form.add_error(None, str(refusal))
            code = CODES.get(type(refusal), 409)
    if "HX-Request" in request.headers:
        context = {"report": report, "form": form}
        return render(request, "reports/_saved.html", context, status=code)
    return redirect("reports:edit", pk) if code == 200 else _page(request, report, form, code=code)


@require_POST
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    report, form = _report(request, pk), ReportForm(request.POST)
    signing = SignForm(request, request.POST)
    if not (form.is_valid() and signing.is_valid()):
        return _page(request, report, form, signing=signing, code=422)
    try:
        version = services.sign_report(
            report,
            text=form.text,
            revision=form.cleaned_data["revision"],
            status=ReportVersion.Status(signing.cleaned_data["status"]),
            shown=signing.cleaned_data["shown"],
            origin=origin_of(request),
        )
    except REFUSALS as refusal:
        form.add_error(None, str(refusal))
        return _page(request, report, form, code=CODES.get(type(refusal), 409))
    messages.success(request, _signed(version))
    if request.POST.get("then") == "next":
        return _to_next(request, report)
    return redirect(reverse("reports:edit", args=[pk]) + _narrowed(request))


@require_GET
def go_on(request: HttpRequest, pk: int) -> HttpResponse:
    """To the next unread exam of the reading list; it is not claimed by that."""
    return _to_next(request, _report(request, pk))


@require_GET
def shown(request: HttpRequest, pk: int) -> HttpResponse:
    """Which of the studies (`study`) that a viewer shows are not of the report's patient."""
    report = _report(request, pk)
    uids = request.GET.getlist("study")[:AT_ONCE]
    return JsonResponse({"foreign": not_of(report.order.patient, uids)})


@require_POST
def addendum(request: HttpRequest, pk: int) -> HttpResponse:
    report, form = _report(request, pk), AddendumForm(request, request.POST)
    if not form.is_valid():
        return _page(request, report, addendum_form=form, code=422)
    try:
        version = services.add_addendum(
            report,
            text=form.cleaned_data["text"],
            shown=form.cleaned_data["shown"],
            origin=origin_of(request),
        )
    except REFUSALS as refusal:
        form.add_error(None, str(refusal))
        code = CODES.get(type(refusal), 409)
        return _page(request, report, addendum_form=form, code=code)
    messages.success(request, _signed(version))
    return redirect("reports:edit", pk)


@require_GET
def template_text(request: HttpRequest, pk: int) -> HttpResponse:
    """The sections filled from a template, in place of what is in them."""
    report = _report(request, pk)
    asked = request.GET.get("template", "")
    templates = visible(request.user, ReportTemplate).filter(active=True)
    template = get_object_or_404(templates, pk=asked if asked.isdigit() else None)
    form = ReportForm.of(report)
    form.initial.update(vars(services.text_of(template)))
    return render(request, "reports/_sections.html", {"report": report, "form": form})


@require_GET
def pdf(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """The signed sheet; reading it is journalled."""
    versions = visible(request.user, ReportVersion).select_related("report__order")
    version = get_object_or_404(versions, report=pk, number=number)
    services.note_viewing(version, origin=origin_of(request))
    name = f"{version.report.order_id}-{version.number}.pdf"
    return HttpResponse(
        bytes(version.pdf),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="report-{name}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


@require_GET
def order_report(request: HttpRequest, order: int) -> HttpResponse:
    """The panel of an order's page: state of its report and the signed versions."""
    found = get_object_or_404(visible(request.user, Order), pk=order)
    versions = visible(request.user, ReportVersion).filter(report__order=found)
    context = {
        "report": visible(request.user, Report).filter(order=found).first(),
        "versions": versions.defer("pdf").select_related("signer"),
        "may_view": can(request.user, Action.VIEW, Report),
        "may_write": can(request.user, Action.CHANGE, Report),
    }
    return render(request, "reports/_order_report.html", context)


@require_GET
def study_states(request: HttpRequest) -> HttpResponse:
    """The states of the reports of studies (`study`), each to be put beside its study."""
    chosen = chosen_studies(visible(request.user, Study), request.GET.getlist("study"))
    rows: Any = visible(request.user, Report)
    context = {
        "states": list(rows.of_studies(one.pk for one in chosen.studies).items()),
        "may_write": can(request.user, Action.CHANGE, Report),
    }
    return render(request, "reports/_study_states.html", context)


def _report(request: HttpRequest, pk: int) -> Report:
    rows: Any = visible(request.user, Report)
    report: Report = get_object_or_404(rows.for_reading_list(), pk=pk)
    return report


def _do(request: HttpRequest, pk: int, verb: Any, *, then: str) -> HttpResponse:
    """Carry out a verb that needs nothing but the report; a refusal is shown as a message."""
    report = _report(request, pk)
    try:
        verb(report, origin=origin_of(request))
    except REFUSALS as refusal:
        return _page(request, report, refusal=str(refusal), code=CODES.get(type(refusal), 409))
    page = reverse(then, args=[pk] if then == "reports:edit" else [])
    return redirect(page + _narrowed(request))


def _page(
    request: HttpRequest,
    report: Report,
    form: ReportForm | None = None,
    *,
    signing: SignForm | None = None,
    addendum_form: AddendumForm | None = None,
    refusal: str = "",
    code: int = 200,
) -> HttpResponse:
    order, owner = report.order, report.claimed_by
    context = {
        "report": report,
        "order": order,
        "patient": order.patient,
        "identity": identity_of(order.patient, accession_number=order.accession_number),
        "form": form or ReportForm.of(report),
        "signing": signing or SignForm(request),
        "addendum_form": addendum_form or AddendumForm(request),
        "refusal": refusal,
        "locked": owner is not None and owner != request.user,
        "mine": owner == request.user,
        "may_sign": can(request.user, Action.SIGN, report),
        "versions": report.versions.without_pdf(),
        "earlier": _earlier(request, report),
        "templates": visible(request.user, ReportTemplate).filter(active=True),
        "narrowed": _narrowed(request),
    }
    return render(request, "reports/edit.html", context, status=code)


def _earlier(request: HttpRequest, report: Report) -> list[services.Earlier]:
    return services.earlier_of(
        report,
        studies=visible(request.user, Study),
        versions=visible(request.user, ReportVersion),
    )


def _narrowed(request: HttpRequest) -> str:
    """What the reading list one came from is narrowed to, as the end of an address."""
    modality = request.GET.get("modality", "")
    return f"?{urlencode({'modality': modality})}" if modality else ""


def _to_next(request: HttpRequest, report: Report) -> HttpResponseRedirect:
    """To the next unread exam, narrowed as the list was; back to the list if there is none."""
    rows: Any = visible(request.user, Report)
    if modality := request.GET.get("modality", ""):
        rows = rows.with_modality(modality)
    found = rows.unread_by(request.user).next_after(report)
    if found is None:
        messages.info(request, _("No other exam waits to be read."))
        return redirect(reverse("reports:reading-list") + _narrowed(request))
    return redirect(reverse("reports:edit", args=[found.pk]) + _narrowed(request))


def _signed(version: ReportVersion) -> str:
    said = {
        ReportVersion.Status.PRELIMINARY: _("Signed as preliminary."),
        ReportVersion.Status.FINAL: _("Report signed."),
        ReportVersion.Status.ADDENDUM: _("Addendum signed."),
    }
    return said[ReportVersion.Status(version.status)]
