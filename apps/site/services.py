"""Setting a department up: its first user, one-time links, its site file."""

import datetime
import hashlib
import secrets
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from apps.accounts.models import Role, User
from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.site.configuration.applying import Application, Change
from apps.site.configuration.document import SiteDocument
from apps.site.configuration.exporting import site_text
from apps.site.configuration.problems import Problem, SiteFileError
from apps.site.models import SetupLink

SETUP_LINK_VALID = datetime.timedelta(hours=24)
TOKEN_BYTES = 24  # 192 bits
HERE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class AlreadySetUp(Exception):
    """There are users: a set-up link would let a stranger in beside them."""

    def __init__(self) -> None:
        super().__init__(
            _("This department has users already; give one a password with password_link.")
        )


class LinkNotValid(Exception):
    """The link was used, has expired, was replaced by a newer one or never existed."""

    def __init__(self) -> None:
        super().__init__(_("This link is not valid any more."))


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """A user to be: the first one, made on the set-up page."""

    username: str
    password: str
    given_name: str = ""
    family_name: str = ""
    title: str = ""


def site_url(path: str) -> str:
    """A path of this site as an address that works on this machine or through its front."""
    if settings.TLS:
        return f"https://{settings.ALLOWED_HOSTS[0]}{path}"
    bound = settings.OPENPACS_BIND
    host = "localhost" if bound in HERE else f"[{bound}]" if ":" in bound else bound
    return f"http://{host}:{settings.OPENPACS_HTTP_PORT}{path}"


def setup_link() -> str:
    """A new one-time address of the set-up page; earlier ones stop working.

    Raises AlreadySetUp where there is a user.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        if User.objects.exists():
            raise AlreadySetUp
        SetupLink.objects.all().delete()
        SetupLink.objects.create(
            token_sha256=_sha256(token), expires_at=timezone.now() + SETUP_LINK_VALID
        )
    return site_url(reverse("site:setup", args=[token]))


def open_setup_link(token: str) -> SetupLink:
    """The link of a token, if it may be used now; raises LinkNotValid."""
    link = SetupLink.objects.filter(
        token_sha256=_sha256(token), expires_at__gt=timezone.now()
    ).first()
    if link is None or User.objects.exists():
        raise LinkNotValid
    return link


def create_first_user(
    link: SetupLink, *, person: NewPerson, roles: Collection[Role], origin: Origin
) -> User:
    """Use up a set-up link: make the first user, always a system administrator."""
    with transaction.atomic():
        used, _rows = SetupLink.objects.filter(pk=link.pk).delete()
        if not used or User.objects.exists():
            raise LinkNotValid
        user = User.objects.create_user(
            username=person.username,
            password=person.password,
            first_name=person.given_name,
            last_name=person.family_name,
            title=person.title,
        )
        user.groups.set(_groups({Role.SYSTEM_ADMINISTRATOR, *roles}))
        record(Kind.USER_CREATED, user, origin=origin, details={"roles": _names(user)})
    return user


def password_link(user: User, *, origin: Origin) -> str:
    """A one-time address at which `user` sets a password; dies when used or after three days."""
    key = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    with transaction.atomic():
        record(Kind.PASSWORD_LINK_MADE, user, origin=origin)
    return site_url(reverse("site:set-password", args=[key, token]))


def note_password_set(user: User, *, origin: Origin) -> None:
    """Record that `user` chose a password through a one-time link."""
    with transaction.atomic():
        user.must_change_password = False
        user.save(update_fields=["must_change_password"])
        record(Kind.PASSWORD_CHANGED, user, origin=origin)


def one_time_password(user: User, *, origin: Origin) -> str:
    """Give `user` a random password that must be changed at the first login; returns it."""
    password = "-".join(secrets.token_hex(2) for _part in range(5))
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        record(Kind.PASSWORD_CHANGED, user, origin=origin)
    return password


def export_site() -> str:
    """The site file of this department."""
    return site_text()


def import_site(text: str, *, origin: Origin, check: bool = False) -> list[Change]:
    """Bring the department to what a site file says; returns what changed.

    With `check` nothing is kept. Raises SiteFileError with every problem found; then
    nothing of the file is imported.
    """
    document = SiteDocument(text)
    application = Application(document)
    try:
        with transaction.atomic():
            application.run()
            if document.problems:
                raise SiteFileError(document.problems)
            if application.changes:
                record(Kind.SITE_CHANGED, None, origin=origin, details=_counts(application.changes))
            if check:
                transaction.set_rollback(True)
    except IntegrityError as error:
        problem = Problem(1, _("the database refused it: %(why)s") % {"why": error})
        raise SiteFileError([problem]) from error
    return application.changes


def _counts(changes: list[Change]) -> dict[str, dict[str, int]]:
    """Section -> how many rows were added and changed."""
    counted: dict[str, dict[str, int]] = {}
    for (section, added), count in Counter((one.section, one.added) for one in changes).items():
        counted.setdefault(section, {})["added" if added else "changed"] = count
    return counted


def _groups(roles: set[Role]) -> list[Group]:
    return list(Group.objects.filter(name__in=[role.value for role in roles]))


def _names(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
