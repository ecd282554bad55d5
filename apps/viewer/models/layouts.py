"""What people keep of the viewer: layouts of the screen, and their habits."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import Procedure
from apps.viewer.querysets import HangingProtocolQuerySet
from apps.viewer.shapes import check_layout


class HangingProtocol(models.Model):
    """How the images of a kind of study are laid out on the screen.

    One's own, or (without an owner) everybody's. The default one of its kind is used by
    itself when such a study is opened.
    """

    policy_noun = Noun.TEMPLATE

    name = models.CharField(_("name"), max_length=64)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="hanging_protocols",
    )
    modality = models.CharField(
        _("modality"), max_length=16, blank=True, help_text=_("Empty: any modality.")
    )
    procedure = models.ForeignKey(
        Procedure,
        verbose_name=_("procedure"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Empty: any procedure."),
    )
    body_part = models.CharField(
        _("body part"),
        max_length=16,
        blank=True,
        help_text=_("As in Body Part Examined, in capitals. Empty: any."),
    )
    layout = models.JSONField(_("layout"), validators=[check_layout])
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Such studies open with it.")
    )
    active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last changed"), auto_now=True)

    objects = HangingProtocolQuerySet.as_manager()

    class Meta:
        verbose_name = _("hanging protocol")
        verbose_name_plural = _("hanging protocols")
        ordering = ("name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Of two layouts of one person, or of two of everybody's, the name tells which.
            models.UniqueConstraint(
                Coalesce("owner", 0),
                "name",
                name="hanging_protocol_name_once_per_owner",
                violation_error_message=_("There is a layout of this name already."),
            ),
            # A study can open with one layout only.
            models.UniqueConstraint(
                Coalesce("owner", 0),
                "modality",
                "body_part",
                Coalesce("procedure", 0),
                condition=models.Q(is_default=True),
                name="hanging_protocol_one_default_of_a_kind",
                violation_error_message=_(
                    "Studies of this modality, body part and procedure open with another layout."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Codes of DICOM are in capitals, however they are typed."""
        self.modality = self.modality.upper()
        self.body_part = self.body_part.upper()


class ViewerPreference(models.Model):
    """A person's habits in the viewer: they follow to any computer."""

    policy_noun = Noun.USER

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="viewer_preference",
    )
    # As HabitsShape has them.
    habits = models.JSONField(_("habits"), default=dict, blank=True)
    updated_at = models.DateTimeField(_("last changed"), auto_now=True)

    class Meta:
        verbose_name = _("preferences in the viewer")
        verbose_name_plural = _("preferences in the viewer")

    def __str__(self) -> str:
        return str(self.user)
