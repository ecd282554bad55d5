"""Studies, series and instances as a ZIP archive with a DICOMDIR (PS3.18 8.7.3.5, ZIP)."""

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.accounts.policy import Action, can
from apps.audit.services import origin_of
from apps.dicomweb.negotiation import accepted
from apps.dicomweb.views.lookup import find_instance, find_series, find_study
from apps.exports.members import zipped
from apps.exports.services import note_archive
from apps.exports.services.gathering import in_order
from apps.exports.services.packing import dicom_members
from apps.studies.models import Instance, Study

ZIP = "application/zip"


def wants_archive(request: HttpRequest) -> bool:
    """Is a ZIP archive what the requester would rather have than anything else?"""
    best = next(iter(accepted(request)), None)
    return best is not None and best.media_type == ZIP


@require_safe
def study_archive(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}/archive"""
    row = find_study(request, study)
    return _archive(request, row, Instance.objects.filter(series__study=row), level="study")


@require_safe
def series_archive(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}/archive"""
    row = find_series(request, study, series)
    return _archive(request, row.study, Instance.objects.filter(series=row), level="series")


@require_safe
def instance_archive(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/archive"""
    row = find_instance(request, study, series, instance)
    rows = Instance.objects.filter(pk=row.pk)
    return _archive(request, row.series.study, rows, level="instance")


def _archive(
    request: HttpRequest, study: Study, rows: "QuerySet[Instance]", *, level: str
) -> HttpResponseBase:
    """As it comes into being: its length is not known, and whoever hangs up stops it."""
    if not can(request.user, Action.EXPORT, study):
        raise PermissionDenied
    keys = in_order(rows)
    if not keys:
        raise Http404
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(content_type=ZIP)
    else:
        note_archive(study, origin=origin_of(request), level=level)
        # As stored: the processors are for those who wait for pages.
        pieces = zipped(dicom_members(keys), deflate=False)
        response = StreamingHttpResponse(pieces, content_type=ZIP)
    response.headers["Content-Disposition"] = f'attachment; filename="study-{study.pk}.zip"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
