"""Scripts with tokens."""

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Scope, User
from apps.audit.services import Origin
from apps.audit.tokens import make_token
from tests.studies.conftest import spool

__all__ = ["spool"]

Script = Callable[..., Client]


def token_of(user: User, scopes: Iterable[Scope] = Scope, *, days: float = 1) -> str:
    """The secret of a new token."""
    _token, secret = make_token(
        user,
        name="script",
        scopes=list(scopes),
        expires_at=timezone.now() + timedelta(days=days),
        origin=Origin(protocol="test"),
    )
    return secret


def script(secret: str) -> Client:
    """A program that sends this token, held to CSRF as browsers are."""
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def script_of(user_of: Callable[[str], User]) -> Script:
    """A program with a token of a user of this role: `script_of("radiologist")`."""

    def made(role: str, scopes: Iterable[Scope] = Scope) -> Client:
        found = User.objects.filter(username=role).first()
        return script(token_of(found or user_of(role), scopes))

    return made
