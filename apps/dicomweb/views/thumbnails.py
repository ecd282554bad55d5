"""WADO-RS: thumbnails of studies, series, instances and frames (PS3.18 10.4.1.1.3, 10.4.4).

Always a JPEG, also of what is no image. Lists of studies are full of them, so they are no
viewing of a study and not journalled as one.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicom.rendering.options import JPEG
from apps.dicomweb.caching import FOREVER, etag_of, kept
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.negotiation import accepted
from apps.dicomweb.parameters import viewport
from apps.dicomweb.views.lookup import find_instance, find_series, find_study
from apps.dicomweb.views.rendering import frame_numbers
from apps.studies.models import Instance
from apps.studies.services.forms import typical_instance, typical_of_study
from apps.studies.services.rendering import THUMBNAIL_SIDE, thumbnail, thumbnail_name

MOST_SIDE = 1024
# Another image may become the middle one: the browser looks again after a while.
_A_WHILE = "private, max-age=300"


@require_safe
def study_thumbnail(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}/thumbnail: of its typical image"""
    return _answer(request, typical_of_study(find_study(request, study)), policy=_A_WHILE)


@require_safe
def series_thumbnail(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}/thumbnail: of the image in its middle"""
    return _answer(request, typical_instance(find_series(request, study, series)), policy=_A_WHILE)


@require_safe
def instance_thumbnail(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/thumbnail: of its middle frame"""
    return _answer(request, find_instance(request, study, series, instance, light=True))


@require_safe
def frame_thumbnail(
    request: HttpRequest, study: str, series: str, instance: str, frames: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/frames/{n}/thumbnail: of the first frame named"""
    row = find_instance(request, study, series, instance, light=True)
    return _answer(request, row, frame=frame_numbers(frames, row)[0])


def _answer(
    request: HttpRequest, row: Instance | None, *, frame: int | None = None, policy: str = FOREVER
) -> HttpResponseBase:
    """The thumbnail, or 304; what is kept is answered without looking at the image."""
    if row is None:
        raise Http404
    if not any(one.covers(JPEG) and not one.multipart for one in accepted(request)):
        raise NotAcceptableError(f"Available as {JPEG}.")
    width, height = _size(request)
    etag = etag_of(thumbnail_name(row, frame=frame, width=width, height=height))

    def make() -> HttpResponseBase:
        data = thumbnail(row, frame=frame, width=width, height=height)
        response = HttpResponse(data, content_type=JPEG)
        response["Content-Length"] = str(len(data))
        return response

    return kept(request, etag, make, policy=policy)


def _size(request: HttpRequest) -> tuple[int, int]:
    """Width and height asked for, at most MOST_SIDE: a thumbnail is never large."""
    asked = viewport(request.GET.get("viewport", ""))
    if asked is None:
        return THUMBNAIL_SIDE, THUMBNAIL_SIDE
    return min(asked.width, MOST_SIDE), min(asked.height, MOST_SIDE)
