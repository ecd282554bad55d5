"""Sessions end when idle or old; strangers are sent to the login page, programs told 401."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user, logout
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from apps.accounts.sessions import person_of

PROGRAM_PATHS = ("/dicom-web/", "/wado", "/api/")
PROBLEMS = "/api/"  # refusals there are problem details (RFC 9457)

SEEN_EVERY = 60  # that somebody was seen is written so often, not with every image

# Where somebody who must choose a password may still go.
WAYS_OUT = {"accounts:password_change", "accounts:logout", "accounts:login"}


class SessionUserMiddleware(AuthenticationMiddleware):
    """Django's, which takes the user that was read with the session (see `sessions`)."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: person_of(request.session) or get_user(request))  # type: ignore[assignment]  # stands for it


class SessionLimitMiddleware:
    """Log a user out after SESSION_IDLE_SECONDS without a request, or SESSION_ABSOLUTE_SECONDS.

    A request with the header X-Background (a fragment that reloads by itself, see
    static/js/site.js) does not count as somebody being there.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A script has no session: its token ends by itself.
        signed_in = request.user.is_authenticated and not hasattr(request, "api_token")
        if signed_in:
            self._check(request)
        response = self.get_response(request)
        if signed_in and response.get("Content-Type", "").startswith("text/html"):
            # Pages about patients stay in no cache and behind no Back button.
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _check(self, request: HttpRequest) -> None:
        now = int(time.time())
        request.session.setdefault("began", now)
        seen = request.session.setdefault("seen", now)
        if session_has_ended(request.session):
            logout(request)
        elif now - seen >= SEEN_EVERY and "X-Background" not in request.headers:
            request.session["seen"] = now


class SignInMiddleware(LoginRequiredMiddleware):
    """Django's login requirement, told to each in its own way.

    DICOMweb clients get 401 JSON instead of a login page; a fragment asked for by a page
    sends the whole page to the login, instead of putting the login into a corner of it.
    """

    def handle_no_permission(  # type: ignore[override]  # wider, as no view is asked
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if request.path.startswith(PROGRAM_PATHS):
            response = refuse_program(request, status=401, text=_("Please sign in."))
            response["WWW-Authenticate"] = 'Bearer realm="openpacs"'
            return response
        if "HX-Request" in request.headers:
            return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
        return super().handle_no_permission(request, view_func)


class OwnPasswordMiddleware:
    """Who was given a password by somebody else chooses an own one before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if not getattr(request.user, "must_change_password", False):
            return None
        if match is not None and match.view_name in WAYS_OUT:
            return None
        if request.path.startswith(PROGRAM_PATHS):
            text = _("Choose your own password first.")
            return refuse_program(request, status=403, text=text)
        if "HX-Request" in request.headers:
            return HttpResponseClientRedirect(resolve_url("accounts:password_change"))
        return redirect("accounts:password_change")


def session_has_ended(session: SessionBase) -> bool:
    """Too old, or nobody there for too long."""
    now = int(time.time())
    too_old = now - session.get("began", now) > settings.SESSION_ABSOLUTE_SECONDS
    return bool(too_old or now - session.get("seen", now) > settings.SESSION_IDLE_SECONDS)


def refuse_program(request: HttpRequest, *, status: int, text: str) -> JsonResponse:
    """What a program is told that may not come in, in the form of the door it came to."""
    if request.path.startswith(PROBLEMS):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
        response = JsonResponse({**problem, "detail": text}, status=status)
        response["Content-Type"] = "application/problem+json"
        return response
    return JsonResponse({"error": text}, status=status)
