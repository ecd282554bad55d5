"""Scripts come in with a token: `Authorization: Bearer opk_...` (RFC 6750)."""

import logging
from collections.abc import Callable

from django.contrib.sessions.backends.base import SessionBase
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from apps.accounts.middleware import PROGRAM_PATHS, refuse_program
from apps.accounts.models import ApiToken
from apps.accounts.tokens import find_token, note_use, required_scope
from apps.audit.tokens import note_refusal

log = logging.getLogger(__name__)


class TokenMiddleware:
    """Puts the owner of a token where views look for the signed-in user.

    On the paths of programs only. With a token cookies count for nothing, and so a foreign
    page cannot ride on them: no CSRF token is asked for.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        secret = _bearer(request)
        if secret is None:
            return self.get_response(request)
        token = find_token(secret)
        if token is None:
            note_refusal(request, secret)
            log.info("An API token was refused")
            return _unknown(request)
        scope = required_scope(request.method or "", request.path_info)
        if scope is None or scope.value not in token.scopes:
            return _insufficient(request, str(scope or ""))
        _let_in(request, token)
        _note_use(token)
        return self.get_response(request)


def _bearer(request: HttpRequest) -> str | None:
    """The secret of the header; None where there is none or the path is not for programs."""
    if not request.path_info.startswith(PROGRAM_PATHS):
        return None
    scheme, _space, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _let_in(request: HttpRequest, token: ApiToken) -> None:
    request.user = token.user
    request.api_token = token  # type: ignore[attr-defined]  # ours
    request.COOKIES.clear()
    request.session = SessionBase()
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # read by CsrfViewMiddleware


def _note_use(token: ApiToken) -> None:
    try:
        note_use(token)
    except OperationalError as error:  # a busy database: the next request writes it down
        log.warning("The use of a token was not written down: %s", type(error).__name__)


def _unknown(request: HttpRequest) -> HttpResponse:
    text = _("This token is unknown, expired or revoked.")
    response = refuse_program(request, status=401, text=text)
    response["WWW-Authenticate"] = 'Bearer realm="openpacs", error="invalid_token"'
    return response


def _insufficient(request: HttpRequest, scope: str) -> HttpResponse:
    """RFC 6750, 3.1: says which scope is missing."""
    text = _("The token lacks the scope %(scope)s.") % {"scope": scope}
    response = refuse_program(request, status=403, text=text)
    challenge = f'Bearer realm="openpacs", error="insufficient_scope", scope="{scope}"'
    response["WWW-Authenticate"] = challenge
    return response
