"""The pictures of a report: sent by the viewer, shown and put in order beside the text."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.dicom.workshop import BusyError
from apps.reports import services
from apps.reports.forms import CaptionForm, PictureForm
from apps.reports.models import Report, ReportPicture
from apps.reports.views import CODES, REFUSALS
from apps.studies.services.screen_pictures import MOST_BYTES, PictureRefused


@require_POST
def add(request: HttpRequest) -> JsonResponse:
    """A picture from the viewer (`picture`, JPEG or PNG) and what it shows, as JSON answers.

    It goes into the report `report` names, else into the open one of the study it shows,
    else of the studies that are `opened` beside it.
    """
    form = PictureForm(request.POST, request.FILES)
    if not form.is_valid():
        return _said(" ".join(str(one[0]) for one in form.errors.values()), code=400)
    report = _meant(request, form)
    if report is None:
        return _said(_("No report of this patient is being written."), code=409)
    content = form.cleaned_data["picture"].read(MOST_BYTES + 1)
    caption, shown = form.cleaned_data["caption"], form.shown
    try:
        services.add_picture(
            report, content=content, caption=caption, shown=shown, origin=origin_of(request)
        )
    except PictureRefused as refusal:
        return _said(str(refusal), code=422)
    except BusyError:
        return _said(_("Too much is going on here. Try again in a moment."), code=503)
    except REFUSALS as refusal:
        return _said(str(refusal), code=CODES.get(type(refusal), 409))
    words = {"number": report.order.accession_number}
    return _said(_("Picture put into report %(number)s.") % words, code=201, report=report.pk)


@require_GET
def fragment(request: HttpRequest, pk: int) -> HttpResponse:
    """The pictures of a report, as a part of its page."""
    return _fragment(request, _report(request, pk))


@require_GET
def content(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    """The picture itself."""
    row = _picture(request, pk, picture)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
    return HttpResponse(bytes(row.picture), content_type=row.media_type, headers=headers)


@require_POST
def describe(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    row, form = _picture(request, pk, picture), CaptionForm(request.POST)
    if not form.is_valid():
        return _fragment(request, row.report, refusal=_("The caption is too long."), code=422)
    caption = form.cleaned_data["caption"]
    origin = origin_of(request)
    return _do(request, row, lambda: services.describe_picture(row, caption=caption, origin=origin))


@require_POST
def move_up(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    row, origin = _picture(request, pk, picture), origin_of(request)
    return _do(request, row, lambda: services.move_picture_up(row, origin=origin))


@require_POST
def remove(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    row, origin = _picture(request, pk, picture), origin_of(request)
    return _do(request, row, lambda: services.remove_picture(row, origin=origin))


def _do(request: HttpRequest, row: ReportPicture, verb: Any) -> HttpResponse:
    try:
        verb()
    except REFUSALS as refusal:
        code = CODES.get(type(refusal), 409)
        return _fragment(request, row.report, refusal=str(refusal), code=code)
    return _fragment(request, row.report)


def _fragment(
    request: HttpRequest, report: Report, *, refusal: str = "", code: int = 200
) -> HttpResponse:
    owner = Report.objects.get(pk=report.pk).claimed_by
    context = {
        "report": report,
        "pictures": report.pictures.without_bytes(),
        "refusal": refusal,
        "may_change": not report.is_released and owner in (None, request.user),
    }
    return render(request, "reports/_pictures.html", context, status=code)


def _meant(request: HttpRequest, form: PictureForm) -> Report | None:
    """The report that the picture is for."""
    if form.cleaned_data["report"]:
        return _report(request, form.cleaned_data["report"])
    uids = [form.cleaned_data["study"], *request.POST.getlist("opened")[:20]]
    return services.open_report_for(request.user, uids)  # type: ignore[arg-type]  # signed in


def _report(request: HttpRequest, pk: int) -> Report:
    rows = visible(request.user, Report).select_related("order")
    return get_object_or_404(rows, pk=pk)


def _picture(request: HttpRequest, pk: int, picture: int) -> ReportPicture:
    rows = visible(request.user, ReportPicture).select_related("report__order")
    return get_object_or_404(rows, pk=picture, report=pk)


def _said(words: str, *, code: int, **more: Any) -> JsonResponse:
    return JsonResponse({"said": words, **more}, status=code)
