"""Every route says who may take it, in its urls.py, with one of three words.

`public(view)`: anyone; `signed_in(view)`: anyone with a login; `allows(action, noun)(view)`:
the policy table decides. A test walks all routes and fails on one that says nothing.
Views of single objects still look them up with `policy.visible(user, Model)`, so that a
foreign object is a 404.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from apps.accounts.policy import Action, Noun, can

View = Callable[..., Any]


def public(view: View) -> View:
    """Anyone may take this route, signed in or not."""
    return _classified(login_not_required(view), "public")


def signed_in(view: View) -> View:
    """Anyone with a login may take this route."""
    return _classified(view, "signed in")


def allows(action: Action, noun: Noun) -> Callable[[View], View]:
    """Only users for whom the policy answers yes; others are refused with 403."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not can(request.user, action, noun):
                raise PermissionDenied
            response: HttpResponseBase = view(request, *args, **kwargs)
            return response

        return _classified(guarded, f"{action} {noun}")

    return decorate


def _classified(view: View, word: str) -> View:
    @functools.wraps(view)
    def classified(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = view(request, *args, **kwargs)
        return response

    classified.access = word  # type: ignore[attr-defined]  # kept with the function
    return classified
