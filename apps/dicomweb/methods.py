"""What a route of DICOMweb takes: told to who asks, and refused to who asks for more."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Description:
    """What a route reads from the query of an address, and the types it answers in."""

    parameters: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()


def described(description: Description) -> Callable[[View], View]:
    """Say what GET of a view takes and gives; the capabilities are written from it."""

    def decorate(view: View) -> View:
        view.description = description  # type: ignore[attr-defined]  # kept with the function
        return view

    return decorate


def by_method(**views: View) -> View:
    """`by_method(GET=search, POST=store)`: one address, a view for each method."""

    @functools.wraps(next(iter(views.values())))
    def chosen(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" else request.method
        return views[str(method)](request, *args, **kwargs)

    chosen.methods = tuple(views)  # type: ignore[attr-defined]  # kept with the function
    return chosen


def methods_of(view: View) -> tuple[str, ...]:
    """What a view takes: what `by_method` was given, else GET."""
    return getattr(view, "methods", ("GET",))


def only_its_methods(view: View) -> View:
    """Other methods are refused with 405, OPTIONS is told which there are (RFC 9110 9.3.7)."""
    methods = methods_of(view)
    taken = (*methods, "HEAD") if "GET" in methods else methods
    allowed = (*taken, "OPTIONS")

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in taken:
            return view(request, *args, **kwargs)
        if request.method == "OPTIONS":
            return _allowing(HttpResponse(status=204), allowed)
        text = _("This address takes no such request.")
        return _allowing(JsonResponse({"error": text}, status=405), allowed)

    return guarded


def _allowing(response: HttpResponse, methods: tuple[str, ...]) -> HttpResponse:
    response["Allow"] = ", ".join(methods)
    return response
