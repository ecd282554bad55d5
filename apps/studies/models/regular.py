"""Series that are made regular, so that MPR and 3D can be shown of them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.audit.leasing import Leased, held_has_lease
from apps.studies.models.index import Series
from apps.studies.querysets import RegularSeriesQuerySet


class RegularSeries(Leased):
    """That a tilted or uneven series is to be made regular, and how far that is."""

    policy_noun = Noun.STUDY

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        WORKING = "working", _("Being made")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    UNDER_WAY = (State.WAITING, State.WORKING)

    # One for a series: who asks again is shown the same.
    source = models.OneToOneField(
        Series, verbose_name=_("series"), on_delete=models.CASCADE, related_name="regular"
    )
    # Of the source's images: late ones make it another series.
    version = models.CharField(max_length=64)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.WAITING
    )
    series_instance_uid = models.CharField(_("Series Instance UID"), max_length=64)
    done_count = models.PositiveIntegerField(_("images done"), default=0)
    total_count = models.PositiveIntegerField(_("images"), default=0)
    reason = models.CharField(_("what went wrong"), max_length=200, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked for by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    # Also the time that the images say they were made at: made again, they are the same.
    asked_at = models.DateTimeField(_("when"), default=timezone.now)

    objects = RegularSeriesQuerySet.as_manager()

    class Meta:
        verbose_name = _("regular series")
        verbose_name_plural = _("regular series")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # What is being made is leased to a worker.
            held_has_lease(
                state="working",
                name="regular_working_has_lease",
                message=_("A series that is being made needs a lease."),
            ),
            # What failed says why.
            models.CheckConstraint(
                condition=~models.Q(state="failed") | ~models.Q(reason=""),
                name="regular_failed_has_reason",
                violation_error_message=_("A series that could not be made needs a reason."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The sweep: few of many.
            models.Index(
                fields=["state", "asked_at"],
                condition=models.Q(state__in=("waiting", "working")),
                name="regular_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.series_instance_uid

    @property
    def is_under_way(self) -> bool:
        return self.state in self.UNDER_WAY

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done_count // max(self.total_count, 1))
