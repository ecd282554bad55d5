"""People who sign in, the roles they hold (a role is a Django group), tokens of their scripts."""

import datetime
from collections.abc import Iterable
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The roles of a department; each is the name of one group."""

    FRONT_DESK = "front-desk", _("Front desk")
    TECHNOLOGIST = "technologist", _("Technologist")
    RADIOLOGIST = "radiologist", _("Radiologist")
    RESIDENT = "resident", _("Resident")
    REFERRER = "referrer", _("Referrer")
    PACS_ADMINISTRATOR = "pacs-administrator", _("PACS administrator")
    SYSTEM_ADMINISTRATOR = "system-administrator", _("System administrator")
    AUDITOR = "auditor", _("Auditor")


_ROLES: dict[str | None, Role] = {role.value: role for role in Role}


class User(AbstractUser):
    """A person with a login. Rights come from roles, read through `accounts.policy`."""

    policy_noun = "user"  # policy.Noun.USER, which is a module above

    title = models.CharField(_("title"), max_length=64, blank=True, help_text=_("Dr, Prof."))
    must_change_password = models.BooleanField(
        _("must change password at next login"), default=False
    )

    # Study Instance UID where a token for one study let them in; the policy heeds it.
    only_study = ""

    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("username",)

    def __str__(self) -> str:
        name = self.get_full_name()
        return " ".join(part for part in (self.title, name or self.username) if part)

    @property
    def roles(self) -> frozenset[Role]:
        """The roles held, read once per loaded user."""
        if not hasattr(self, "_roles"):
            self.remember_roles(self.groups.values_list("name", flat=True) if self.pk else ())
        return self._roles

    def remember_roles(self, names: Iterable[str | None]) -> None:
        """Take these groups' names for the roles held, as they were just read."""
        self._roles = frozenset(_ROLES[name] for name in names if name in _ROLES)

    @property
    def person_name(self) -> str:
        """The name as a DICOM PN: family^given^^prefix (PS3.5 6.2.1.1)."""
        family = self.last_name or self.username
        return f"{family}^{self.first_name}^^{self.title}".rstrip("^")


class Scope(models.TextChoices):
    """What a token opens, at most; the roles of its owner decide within it."""

    DICOMWEB_READ = "dicomweb:read", _("DICOMweb: search and retrieve")
    DICOMWEB_WRITE = "dicomweb:write", _("DICOMweb: store and delete")
    API_READ = "api:read", _("REST: look up")
    API_WRITE = "api:write", _("REST: change")
    WORKLIST = "worklist", _("Worklist and workitems: see and act")


class ApiToken(models.Model):
    """Lets scripts of a person in. The secret is shown once; kept is its digest only."""

    policy_noun = "user"

    user = models.ForeignKey(
        User, verbose_name=_("user"), on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(_("name"), max_length=64)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)  # SHA-256, hex
    scopes = models.JSONField(_("opens"), default=list)
    # Study Instance UID; empty: every study its owner may see.
    only_study = models.CharField(_("only the study"), max_length=128, blank=True, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A digest is one of SHA-256: never the secret itself.
            models.CheckConstraint(
                condition=models.Q(digest__regex=r"^[0-9a-f]{64}$"),
                name="api_token_digest_is_sha256",
                violation_error_message=_("Only the SHA-256 of a token is kept."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"

    def is_alive(self, now: datetime.datetime) -> bool:
        """Not revoked, not expired, and its owner may sign in."""
        return self.revoked_at is None and now < self.expires_at and self.user.is_active

    @property
    def scope_labels(self) -> list[str]:
        """What it opens, in words."""
        return [str(scope.label) for scope in Scope if scope.value in self.scopes]
