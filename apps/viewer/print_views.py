"""Printing from the viewer: forms that it posts into a new tab, which gets the PDF."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.dicom.workshop import BusyError
from apps.studies.models import Series, Study
from apps.studies.services.screen_pictures import MOST_BYTES, PictureRefused, clean_picture
from apps.viewer.print_forms import LayoutForm, SeriesForm
from apps.viewer.printing import Cell, NotPrintable, print_layout, print_series, series_line


@require_POST
def layout(request: HttpRequest) -> HttpResponse:
    """The pictures of the viewports, where they stand on the screen."""
    form = LayoutForm(request.POST)
    files = request.FILES.getlist("picture")
    if not form.is_valid() or len(files) != len(form.cleaned_data["plan"]):
        return _refused(_("This layout cannot be read."), code=400)
    plan = form.cleaned_data["plan"]
    studies = _studies(request, {one["study"] for one in plan})
    series = _series(request, {one["series"] for one in plan if one["series"]})

    def make() -> bytes:
        cells = [
            _cell(
                entry,
                file.read(MOST_BYTES + 1),
                studies[entry["study"]],
                series.get(entry["series"]),
            )
            for entry, file in zip(plan, files, strict=True)
        ]
        return print_layout(cells, on=form.paper_chosen, origin=origin_of(request))

    return _answer(make)


@require_POST
def rows(request: HttpRequest) -> HttpResponse:
    """Images of one series in rows and columns."""
    form = SeriesForm(request.POST)
    if not form.is_valid():
        return _refused(_("Say which images are to be printed, in how many rows."), code=400)
    seen = visible(request.user, Series).select_related("study__patient")
    series = get_object_or_404(seen, series_instance_uid=form.cleaned_data["series"])
    on, origin = form.paper_chosen, origin_of(request)
    return _answer(lambda: print_series(series, form.rows_chosen, on=on, origin=origin))


def _answer(make: Callable[[], bytes]) -> HttpResponse:
    try:
        made = make()
    except (NotPrintable, PictureRefused) as refusal:
        return _refused(str(refusal), code=422)
    except (BusyError, OSError):
        return _refused(_("Too much is going on here. Try again in a moment."), code=503)
    headers = {
        "Content-Disposition": 'inline; filename="images.pdf"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return HttpResponse(made, content_type="application/pdf", headers=headers)


def _cell(entry: dict[str, Any], content: bytes, study: Study, series: Series | None) -> Cell:
    picture = clean_picture(content)
    named = [series_line(series)] if series and series.study_id == study.pk else []
    return Cell(
        study=study,
        content=picture.content,
        media_type=picture.media_type,
        box=entry["box"],
        caption=[*named, *entry["caption"]],
        letters=entry["letters"],
    )


def _studies(request: HttpRequest, uids: set[str]) -> dict[str, Study]:
    """All of them, by their UIDs; one that the user may not see is a 404."""
    seen = visible(request.user, Study).select_related("patient")
    found = seen.in_bulk(uids, field_name="study_instance_uid")
    if len(found) != len(uids):
        raise Http404
    return found


def _series(request: HttpRequest, uids: set[str]) -> dict[str, Series]:
    found: dict[str, Series] = visible(request.user, Series).in_bulk(
        uids, field_name="series_instance_uid"
    )
    return found


def _refused(words: str, *, code: int) -> HttpResponse:
    return HttpResponse(words, status=code, content_type="text/plain; charset=utf-8")
