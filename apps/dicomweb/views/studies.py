"""Resources that are read, written and taken away at one address, a method for each."""

import functools
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from apps.accounts.policy import Action, Noun, can
from apps.dicomweb.views.storing import store

View = Callable[..., HttpResponseBase]


def by_method(**views: View) -> View:
    """`by_method(GET=search, POST=store)`: the view of each method; HEAD is that of GET."""
    named = {**views, "HEAD": views["GET"]}
    known = ["GET", "HEAD", *(name for name in views if name != "GET")]

    @functools.wraps(views["GET"])
    def chosen(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        view = named.get(request.method or "")
        return view(request, *args, **kwargs) if view else HttpResponseNotAllowed(known)

    return chosen


def store_here(request: HttpRequest, study: str = "") -> HttpResponse:
    """The route lets in who may look; storing asks the policy once more."""
    if not can(request.user, Action.CREATE, Noun.STUDY):
        raise PermissionDenied
    return store(request, study)
