"""API tokens: what they look like, which row one belongs to, what a request asks of them."""

import datetime
import hashlib
import secrets

from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import ApiToken, Scope

MARK = "opk_"  # so that scanners for leaked secrets know one when they see it
PREFIX_LENGTH = len(MARK) + 6
SEEN_EVERY = datetime.timedelta(minutes=1)

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Longest paths first; the scope of reading and that of everything else.
_SCOPES = (
    ("/dicom-web/workitems", Scope.WORKLIST, Scope.WORKLIST),
    ("/dicom-web/ws/", Scope.WORKLIST, Scope.WORKLIST),
    ("/dicom-web/", Scope.DICOMWEB_READ, Scope.DICOMWEB_WRITE),
    ("/wado", Scope.DICOMWEB_READ, Scope.DICOMWEB_WRITE),
    ("/api/v1/steps", Scope.WORKLIST, Scope.WORKLIST),
    # Searches by name: a POST that changes nothing.
    ("/api/v1/patients/search", Scope.API_READ, Scope.API_READ),
    ("/api/v1/studies/search", Scope.API_READ, Scope.API_READ),
    ("/api/", Scope.API_READ, Scope.API_WRITE),
)


def new_secret() -> str:
    """256 random bits behind the mark: nobody guesses one, so nothing counts the guesses."""
    return MARK + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """SHA-256 as hex. No slow hash: the secret is no word of a person."""
    return hashlib.sha256(secret.encode()).hexdigest()


def find_token(secret: str) -> ApiToken | None:
    """The living token of this secret with its user, in one query by a unique index.

    The user is narrowed to the study of the token, where it is for one study.
    """
    if not secret.startswith(MARK):
        return None
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(secret)).first()
    if token is None or not token.is_alive(timezone.now()):
        return None
    token.user.only_study = token.only_study
    return token


def note_use(token: ApiToken) -> None:
    """Write down that a token was used, once a minute at most."""
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < SEEN_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - SEEN_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def required_scope(method: str, path: str) -> Scope | None:
    """The scope a request needs; None where tokens open nothing."""
    for start, reading, writing in _SCOPES:
        if path.startswith(start):
            return reading if method in _READS else writing
    return None
