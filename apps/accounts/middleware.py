"""Sessions end when idle or old; strangers are sent to the login page, programs told 401."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

PROGRAM_PATHS = ("/dicom-web/",)


class SessionLimitMiddleware:
    """Log a user out after SESSION_IDLE_SECONDS without a request, or SESSION_ABSOLUTE_SECONDS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    def _check(self, request: HttpRequest) -> None:
        now = int(time.time())
        began = request.session.setdefault("began", now)
        seen = request.session.get("seen", now)
        too_old = now - began > settings.SESSION_ABSOLUTE_SECONDS
        if too_old or now - seen > settings.SESSION_IDLE_SECONDS:
            logout(request)
        elif now - seen >= 60 or "seen" not in request.session:
            # Written once a minute, not with every image.
            request.session["seen"] = now


class SignInMiddleware(LoginRequiredMiddleware):
    """Django's login requirement; DICOMweb clients get 401 JSON instead of a login page."""

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if request.path.startswith(PROGRAM_PATHS):
            return JsonResponse({"error": _("Please sign in.")}, status=401)
        response: HttpResponseBase = super().handle_no_permission(request, view_func)
        return response
