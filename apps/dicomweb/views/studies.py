"""/studies: searched with GET, stored to with POST."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.policy import Action, Noun, can
from apps.dicomweb.methods import described
from apps.dicomweb.views.searching import SEARCH, search_studies
from apps.dicomweb.views.storing import store


@described(SEARCH)
def search_or_store(request: HttpRequest) -> HttpResponseBase:
    """The route lets in who may look; storing asks the policy once more."""
    if request.method != "POST":
        return search_studies(request)
    if not can(request.user, Action.CREATE, Noun.STUDY):
        raise PermissionDenied
    return store(request)
