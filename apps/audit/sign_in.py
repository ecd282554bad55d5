"""Signing in, signing out and failing to, as Django's auth signals tell it."""

from typing import Any

from django.http import HttpRequest

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record

PEER_LENGTH = Event._meta.get_field("peer").max_length


def note_signed_in(*, request: HttpRequest | None, user: User, **signal: Any) -> None:
    record(Kind.USER_SIGNED_IN, user, origin=_origin(request, user))


def note_signed_out(*, request: HttpRequest | None, user: User | None, **signal: Any) -> None:
    if user is not None:
        record(Kind.USER_SIGNED_OUT, user, origin=_origin(request, user))


def note_sign_in_failed(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any
) -> None:
    """Keeps the name that was tried; Django has taken the password out."""
    tried = str(credentials.get("username", ""))[:PEER_LENGTH]
    record(
        Kind.SIGN_IN_FAILED,
        None,
        origin=Origin(protocol="web", peer=tried, address=_address(request)),
    )


def _origin(request: HttpRequest | None, user: User) -> Origin:
    return Origin(protocol="web", peer=user.username, address=_address(request), user=user)


def _address(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "") if request else ""
