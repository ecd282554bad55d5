"""Making and revoking API tokens, and noting those that were refused.

Here and not among the accounts, which lie below the journal.
"""

import datetime
from collections.abc import Sequence

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import ApiToken, Scope, User
from apps.accounts.tokens import MARK, PREFIX_LENGTH, digest_of, new_secret
from apps.audit.models import Kind
from apps.audit.services import Origin, record

STUDY_TOKEN_LASTS = datetime.timedelta(minutes=15)
NOTED_EVERY = 60  # seconds between two journal rows about the same wrong token
NOTED_OF_ADDRESS = 10  # rows about one address in that time: who guesses does not fill the journal


def make_token(
    user: User,
    *,
    name: str,
    scopes: Sequence[Scope],
    expires_at: datetime.datetime,
    origin: Origin,
    only_study: str = "",
) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can read again.

    `only_study`, a Study Instance UID: it opens that study, and for looking only.
    """
    secret = new_secret()
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=secret[:PREFIX_LENGTH],
            digest=digest_of(secret),
            scopes=sorted(scope.value for scope in set(scopes)),
            expires_at=expires_at,
            only_study=only_study,
        )
        details = {"scopes": token.scopes, "expires": expires_at.isoformat()}
        _record(Kind.API_TOKEN_MADE, token, origin, details)
    return token, secret


def make_study_token(
    user: User, *, name: str, study_instance_uid: str, origin: Origin
) -> tuple[ApiToken, str]:
    """A token that lets another program read one study for a quarter of an hour.

    The user's earlier ones that have expired are thrown away: the journal tells of them.
    """
    now = timezone.now()
    with transaction.atomic():
        user.api_tokens.exclude(only_study="").filter(expires_at__lt=now).delete()
        return make_token(
            user,
            name=name,
            scopes=[Scope.DICOMWEB_READ],
            expires_at=now + STUDY_TOKEN_LASTS,
            origin=origin,
            only_study=study_instance_uid,
        )


def revoke_token(token: ApiToken, *, origin: Origin) -> bool:
    """Let a token open nothing from now on; False where it was revoked before."""
    with transaction.atomic():
        living = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
        if not living.update(revoked_at=timezone.now()):
            return False
        _record(Kind.API_TOKEN_REVOKED, token, origin, {})
    token.refresh_from_db()
    return True


def note_refusal(request: HttpRequest, secret: str) -> None:
    """Journal that a token was refused, by its beginning: once a minute, of an address ten."""
    address = request.META.get("REMOTE_ADDR", "")
    if not _is_news(address, digest_of(secret)):
        return
    prefix = secret[:PREFIX_LENGTH] if secret.startswith(MARK) else ""
    token = ApiToken.objects.filter(digest=digest_of(secret)).first()
    origin = Origin(protocol="web", peer=prefix, address=address)
    record(Kind.API_TOKEN_REFUSED, token, origin=origin)


def _is_news(address: str, digest: str) -> bool:
    if not cache.add(f"token-refused-{address}-{digest[:16]}", 1, NOTED_EVERY):
        return False
    counted = f"tokens-refused-{address}"
    cache.add(counted, 0, NOTED_EVERY)
    try:
        return cache.incr(counted) <= NOTED_OF_ADDRESS
    except ValueError:  # its minute ended just now
        return True


def _record(kind: Kind, token: ApiToken, origin: Origin, details: dict[str, object]) -> None:
    record(
        kind,
        token,
        origin=origin,
        study_instance_uid=token.only_study,
        details={"prefix": token.prefix, **details},
    )
