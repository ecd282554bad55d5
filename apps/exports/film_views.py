"""Films asked for in the viewer: it is told how far they are, and takes them."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.exports.forms import FilmForm
from apps.exports.models import Export
from apps.exports.services import ExportRefused, ask_for_export
from apps.exports.services.filming import film_options
from apps.studies.models import Series


@require_POST
def ask(request: HttpRequest) -> JsonResponse:
    """Images of a series as MP4: made by a worker, `state` says where to look for it."""
    form = FilmForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"said": _("Say which images the film is of.")}, status=400)
    rows = visible(request.user, Series).select_related("study")
    series = get_object_or_404(rows, series_instance_uid=form.cleaned_data["series"])
    options = film_options(form.cleaned_data, series)
    try:
        made = ask_for_export(
            [series.study], kind=Export.Kind.FILM, options=options, origin=origin_of(request)
        )
    except ExportRefused as refusal:
        return JsonResponse({"said": str(refusal)}, status=409)
    return JsonResponse({"state": reverse("exports:film-state", args=[made.pk])}, status=202)


@require_GET
def state(request: HttpRequest, pk: int) -> JsonResponse:
    """How far an export is, in words; `file` once it is ready, `over` when nothing will come."""
    export = get_object_or_404(visible(request.user, Export), pk=pk)
    if export.is_under_way:
        words = {"state": export.get_status_display(), "percent": export.percent}
        said = _("%(state)s: %(percent)s %%") % words
        return JsonResponse({"said": said, "over": False})
    answer: dict[str, Any] = {"said": export.error or export.get_status_display(), "over": True}
    if export.is_ready:
        answer["file"] = reverse("exports:download", args=[export.pk])
    return JsonResponse(answer)
