"""Storing to /studies and to one study."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.accounts.policy import Action, Noun, can
from apps.dicomweb.views.storing import store


def store_here(request: HttpRequest, study: str = "") -> HttpResponse:
    """The route lets in who may look; storing asks the policy once more."""
    if not can(request.user, Action.CREATE, Noun.STUDY):
        raise PermissionDenied
    return store(request, study)
