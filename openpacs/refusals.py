"""A request without the token of our pages, refused to each in its own way."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views import csrf

from apps.accounts.middleware import PROGRAM_PATHS
from apps.dicomweb.exceptions import failure


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: JSON for programs, a page (templates/403_csrf.html) for people."""
    if request.path.startswith(PROGRAM_PATHS):
        return failure(PermissionDenied(_("The token against forged requests is missing.")))
    return csrf.csrf_failure(request, reason)
