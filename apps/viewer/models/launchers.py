"""Programs on the desks that open a study when a link of their own kind is followed."""

import re
from string import Formatter
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun

# What a template may name; see apps/viewer/launching.py for what stands for it.
PLACEHOLDERS = frozenset({"study_uid", "accession", "patient_id", "dicomweb", "token", "ae_title"})
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# Schemes that would run something in our own page, or read the desk's files.
NEVER = ("javascript:", "data:", "vbscript:", "blob:", "file:", "view-source:")


def placeholders_in(template: str) -> set[str]:
    """The names in braces of a template; raises ValueError where braces do not fit together."""
    parts = list(Formatter().parse(template))
    if any(spec or conversion for _text, _name, spec, conversion in parts):
        raise ValueError(template)
    return {name for _text, name, _spec, _conversion in parts if name is not None}


def check_template(template: str) -> None:
    """Raises ValidationError for a template that is no address, or names what nobody knows."""
    if not ADDRESS.match(template) or template.lower().startswith(NEVER):
        raise ValidationError(_("An address begins with the program's scheme: weasis://"))
    try:
        strange = placeholders_in(template) - PLACEHOLDERS
    except ValueError:
        raise ValidationError(_("A brace { or } stands alone.")) from None
    if strange:
        known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
        raise ValidationError(_("Known placeholders are %(known)s.") % {"known": known})


class Launcher(models.Model):
    """A viewer that is installed on the desks, and the address that makes it open a study."""

    policy_noun = Noun.DEVICE

    name = models.CharField(_("name"), max_length=64, unique=True)
    template = models.CharField(
        _("address"),
        max_length=500,
        validators=[check_template],
        help_text=_(
            "Placeholders: {study_uid}, {accession}, {patient_id}, {dicomweb} (our DICOMweb "
            "address), {ae_title} (our AE title), {token} (opens this study for 15 minutes). "
            "What stands for them is encoded; the rest is used as it is."
        ),
    )
    active = models.BooleanField(_("offered"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("viewer on the desks")
        verbose_name_plural = _("viewers on the desks")
        ordering = ("position", "name")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~models.Q(name="") & ~models.Q(template=""),
                name="launcher_is_named",
                violation_error_message=_("A viewer has a name and an address."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def needs_token(self) -> bool:
        """Does its program ask our DICOMweb, where it has no session?"""
        return "token" in placeholders_in(self.template)
