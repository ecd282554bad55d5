"""The viewer's page, its configuration for one user, and the way into it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.reports.models import Report
from apps.studies.chosen import chosen_studies
from apps.studies.models import Study
from apps.studies.services import note_viewing
from apps.viewer.facts import facts_for
from apps.viewer.headers import VIEWER_POLICY
from apps.viewer.hints import with_hints
from apps.viewer.lookup import seen_study
from apps.viewer.reading import about_study, priors_of

FUNCTIONS = Path(__file__).with_name("app-config.js").read_text(encoding="utf-8")
AT_ONCE = 10  # studies that are opened together
COMPARING = "openpacs-compare"  # the hanging protocol of static/js/viewer/reading.js


@require_safe
@never_cache
@csp(VIEWER_POLICY)
def page(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """The single page of the viewer, for any of its addresses.

    Studies named in the address must all be visible to the user, and their viewing goes
    into the journal here, so that no way into the viewer passes it by.
    """
    wanted = wanted_studies(request)
    for study in [seen_study(request, uid) for uid in wanted]:
        note_viewing(study, origin=origin_of(request))
    file = settings.BUILD_DIR / "viewer" / "index.html"
    if not file.is_file():
        return HttpResponse(
            _("The image viewer is not installed: run make install."),
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    text = with_hints(file.read_bytes(), wanted)
    return HttpResponse(text, content_type="text/html; charset=utf-8")


def wanted_studies(request: HttpRequest) -> list[str]:
    """The UIDs of StudyInstanceUIDs, which may repeat and may be lists with commas."""
    given = ",".join(request.GET.getlist("StudyInstanceUIDs"))
    return [uid for uid in given.split(",") if uid]


@require_safe
@never_cache
def config(request: HttpRequest) -> HttpResponse:
    """app-config.js: the viewer's settings for this user, followed by our functions."""
    facts = facts_for(request)
    return HttpResponse(
        f"const openpacs = {json.dumps(facts)};\n{FUNCTIONS}",
        content_type="text/javascript; charset=utf-8",
    )


@require_safe
def open_studies(request: HttpRequest, uids: str) -> HttpResponseBase:
    """Send the user to the viewer with a study open, or with several: UIDs with commas."""
    return _opened(seen_study(request, uid) for uid in uids.split(",")[:AT_ONCE])


@require_safe
def open_several(request: HttpRequest) -> HttpResponseBase:
    """Send the user to the viewer with several studies, named by their keys (`study`), open."""
    chosen = chosen_studies(visible(request.user, Study), request.GET.getlist("study")[:AT_ONCE])
    if not chosen.studies:
        raise Http404
    return _opened(chosen.studies)


def _opened(studies: Iterable[Study], **more: str) -> HttpResponseBase:
    uids = ",".join(study.study_instance_uid for study in studies)
    query = urlencode({"StudyInstanceUIDs": uids, **more})
    return redirect(f"{reverse('viewer:page')}viewer?{query}")


@require_safe
def compare(request: HttpRequest, study_instance_uid: str, prior: str) -> HttpResponseBase:
    """Send the user to the viewer with a study and a prior of it side by side."""
    both = [seen_study(request, study_instance_uid), seen_study(request, prior)]
    return _opened(both, hangingProtocolId=COMPARING)


@require_safe
@never_cache
def about(request: HttpRequest, study_instance_uid: str) -> HttpResponse:
    """Who a study is of, in the words of the report's page, and where its report is."""
    return JsonResponse(about_study(request, seen_study(request, study_instance_uid)))


@require_safe
@never_cache
def priors(request: HttpRequest, study_instance_uid: str) -> HttpResponse:
    """The other studies of the patient, those to compare with first."""
    return JsonResponse({"priors": priors_of(request, seen_study(request, study_instance_uid))})


@require_safe
@never_cache
def next_study(request: HttpRequest) -> HttpResponse:
    """The studies of the next unread exam that has images, below that of the study `after`.

    Narrowed by `modality` as the reading list is. Nothing is claimed by it.
    """
    rows: Any = visible(request.user, Report)
    current = None
    if after := request.GET.get("after"):
        current = rows.to_open(seen_study(request, after).pk)
    if modality := request.GET.get("modality"):
        rows = rows.with_modality(modality)
    with_images = rows.unread_by(request.user).filter(order__procedures__studies__isnull=False)
    found = with_images.distinct().next_after(current)
    studies = found.studies if found else []
    return JsonResponse({"studies": [one.study_instance_uid for one in studies]})
