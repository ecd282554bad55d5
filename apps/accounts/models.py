"""People who sign in, and the roles they hold (a role is a Django group)."""

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
