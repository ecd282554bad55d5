"""The viewer's page, its configuration for one user, and the way into it."""

import json
from pathlib import Path
from urllib.parse import urlencode

from csp.decorators import csp
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.studies.chosen import chosen_studies
from apps.studies.models import Study
from apps.studies.services import note_viewing
from apps.viewer.facts import facts_for
from apps.viewer.headers import VIEWER_POLICY
from apps.viewer.hints import with_hints

FUNCTIONS = Path(__file__).with_name("app-config.js").read_text(encoding="utf-8")
AT_ONCE = 10  # studies that are opened together


@require_safe
@never_cache
@csp(VIEWER_POLICY)
def page(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """The single page of the viewer, for any of its addresses.

    Studies named in the address must all be visible to the user, and their viewing goes
    into the journal here, so that no way into the viewer passes it by.
    """
    seen = visible(request.user, Study)
    uids = wanted_studies(request)
    for study in [get_object_or_404(seen, study_instance_uid=uid) for uid in uids]:
        note_viewing(study, origin=origin_of(request))
    file = settings.BUILD_DIR / "viewer" / "index.html"
    if not file.is_file():
        return HttpResponse(
            _("The image viewer is not installed: run make install."),
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    return HttpResponse(with_hints(file.read_bytes()), content_type="text/html; charset=utf-8")


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
def open_study(request: HttpRequest, study_instance_uid: str) -> HttpResponseBase:
    """Send the user to the viewer with one study open."""
    study = get_object_or_404(visible(request.user, Study), study_instance_uid=study_instance_uid)
    address = reverse("viewer:page") + "viewer"
    return redirect(f"{address}?{urlencode({'StudyInstanceUIDs': study.study_instance_uid})}")


@require_safe
def open_several(request: HttpRequest) -> HttpResponseBase:
    """Send the user to the viewer with several studies, named by their keys (`study`), open."""
    chosen = chosen_studies(visible(request.user, Study), request.GET.getlist("study")[:AT_ONCE])
    if not chosen.studies:
        raise Http404
    uids = [study.study_instance_uid for study in chosen.studies]
    address = reverse("viewer:page") + "viewer"
    return redirect(f"{address}?{urlencode({'StudyInstanceUIDs': ','.join(uids)})}")
