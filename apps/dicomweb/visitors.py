"""Who opens a WebSocket: middleware does not run for these, so that it is asked here."""

from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

from apps.accounts.middleware import session_has_ended
from apps.accounts.models import User
from apps.accounts.policy import Action, Noun, can
from apps.accounts.tokens import find_token, note_use, required_scope
from apps.audit.tokens import note_refusal


def listener(request: ASGIRequest) -> User | None:
    """Whoever opens the connection, if they may listen to what happens to workitems."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        user = _by_token(request, secret.strip())
    else:
        user = _by_session(request) if _from_here(request) else None
    if user is None or user.must_change_password:
        return None
    return user if can(user, Action.VIEW, Noun.WORKITEM) else None


def _by_token(request: ASGIRequest, secret: str) -> User | None:
    token = find_token(secret)
    if token is None:
        note_refusal(request, secret)
        return None
    scope = required_scope("GET", request.path_info)
    if scope is None or scope.value not in token.scopes:
        return None
    note_use(token)
    return token.user


def _by_session(request: ASGIRequest) -> User | None:
    engine: Any = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    if session_has_ended(request.session):
        return None
    user = get_user(request)
    return user if isinstance(user, User) else None


def _from_here(request: ASGIRequest) -> bool:
    """Not a page of somebody else that rides on the cookie: browsers always name the origin.

    Our pages come from another port of the same host, so that ports do not count.
    """
    try:
        host = urlsplit(f"//{request.get_host()}").hostname
    except DisallowedHost:
        return False
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return urlsplit(origin).hostname == host
