"""/studies: stored to with POST."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.policy import Action, Noun, can
from apps.dicomweb.views.storing import store


def store_here(request: HttpRequest) -> HttpResponseBase:
    """The route lets in who may look; storing asks the policy once more."""
    if not can(request.user, Action.CREATE, Noun.STUDY):
        raise PermissionDenied
    return store(request)
