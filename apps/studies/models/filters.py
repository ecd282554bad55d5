"""Searches of the list of studies that are kept under a name."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.studies.querysets import SavedFilterQuerySet


class SavedFilter(models.Model):
    """A search of the list of studies: its query string, under a name.

    One's own, or shared with everybody. Those that come with the house have no owner.
    """

    policy_noun = Noun.STUDY_FILTER

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="study_filters",
    )
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(_("search"), max_length=1000)  # `modality=CT&date=today`
    shared = models.BooleanField(_("shared with everybody"), default=False)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved search")
        verbose_name_plural = _("saved searches")
        ordering = ("-shared", "name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Of two searches of one person the name tells which.
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="saved_filter_name_once_per_owner",
                violation_error_message=_("You have a search of this name already."),
            ),
            # What belongs to nobody is everybody's.
            models.CheckConstraint(
                condition=models.Q(owner__isnull=False) | models.Q(shared=True),
                name="saved_filter_is_somebodys",
                violation_error_message=_("A search without an owner is shared."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The name, in the reader's language where it came with the house."""
        return self.name if self.owner_id else gettext(self.name)


class DefaultFilter(models.Model):
    """The search a person's list of studies begins with."""

    policy_noun = Noun.STUDY_FILTER

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="default_study_filter",
    )
    filter = models.ForeignKey(
        SavedFilter, verbose_name=_("search"), on_delete=models.CASCADE, related_name="+"
    )

    class Meta:
        verbose_name = _("first search of a person")
        verbose_name_plural = _("first searches of persons")

    def __str__(self) -> str:
        return f"{self.user} #{self.filter_id}"
