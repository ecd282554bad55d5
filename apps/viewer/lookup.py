"""Finding what an address of the viewer names among what the user may see."""

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from apps.accounts.policy import visible
from apps.dicom.uids import valid_uid
from apps.studies.models import Study


def seen_study(request: HttpRequest, uid: str) -> Study:
    """The study with this Study Instance UID, and its patient; raises Http404."""
    if not valid_uid(uid):
        raise Http404
    rows = visible(request.user, Study).select_related("patient")
    return get_object_or_404(rows, study_instance_uid=uid)
