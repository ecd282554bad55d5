"""Words that people hang on studies: teaching, second opinion, to be exported."""

import zlib
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.studies.models.index import Study


class Label(models.Model):
    """A word of the department's vocabulary, with the colour it is shown in."""

    policy_noun = Noun.CATALOGUE

    class Colour(models.TextChoices):
        """Names of Tabler's colours: `badge bg-teal-lt`."""

        BLUE = "blue", _("Blue")
        AZURE = "azure", _("Azure")
        INDIGO = "indigo", _("Indigo")
        PURPLE = "purple", _("Purple")
        PINK = "pink", _("Pink")
        RED = "red", _("Red")
        ORANGE = "orange", _("Orange")
        YELLOW = "yellow", _("Yellow")
        LIME = "lime", _("Lime")
        GREEN = "green", _("Green")
        TEAL = "teal", _("Teal")
        CYAN = "cyan", _("Cyan")

    name = models.CharField(_("name"), max_length=64)
    colour = models.CharField(_("colour"), max_length=16, choices=Colour.choices)
    studies = models.ManyToManyField(
        Study, verbose_name=_("studies"), through="StudyLabel", related_name="labels"
    )

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Teaching and teaching are one label.
            models.UniqueConstraint(
                Lower("name"),
                name="label_once",
                violation_error_message=_("There is a label of this name already."),
            ),
            # A label says something.
            models.CheckConstraint(
                condition=~models.Q(name=""),
                name="label_has_name",
                violation_error_message=_("A label needs a name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def usual_colour(name: str) -> "Label.Colour":
        """The colour of a label for which nobody has chosen one: always the same for a name."""
        colours = list(Label.Colour)
        return colours[zlib.crc32(name.lower().encode()) % len(colours)]


class StudyLabel(models.Model):
    """That a study bears a label, and who hung it there."""

    policy_noun = Noun.STUDY

    study = models.ForeignKey(
        Study, verbose_name=_("study"), on_delete=models.CASCADE, related_name="labellings"
    )
    label = models.ForeignKey(
        Label, verbose_name=_("label"), on_delete=models.CASCADE, related_name="labellings"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
    )
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("label of a study")
        verbose_name_plural = _("labels of studies")
        ordering = ("label__name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A study bears a label once.
            models.UniqueConstraint(
                fields=["study", "label"],
                name="study_label_once",
                violation_error_message=_("The study bears this label already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}"
