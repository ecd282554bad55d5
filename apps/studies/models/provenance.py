"""Who made an object here, which the object itself mostly does not say."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.studies.models.index import Instance


class Provenance(models.Model):
    """The signed-in user who saved a report, segmentation or list of key images.

    Of what came from elsewhere there is none: of that the object itself tells.
    """

    policy_noun = Noun.STUDY

    instance = models.OneToOneField(
        Instance,
        verbose_name=_("instance"),
        on_delete=models.CASCADE,
        related_name="provenance",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("saved by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    # As the person was called then: a user of another database is known by name only.
    name = models.CharField(_("name"), max_length=324)
    address = models.CharField(_("address"), max_length=64, blank=True)
    at = models.DateTimeField(_("saved"), default=timezone.now)

    class Meta:
        verbose_name = _("who saved an object")
        verbose_name_plural = _("who saved objects")

    def __str__(self) -> str:
        return self.name
