"""What devices have asked of the worklist."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.worklist.models.devices import Device
from apps.worklist.querysets import WorklistQueryQuerySet


class WorklistQuery(models.Model):
    """What a device asked the worklist for, and why steps of that day were not in the answer.

    A device that asks the same and is told the same makes no new row: `times` counts.
    """

    policy_noun = Noun.DEVICE

    device = models.ForeignKey(
        Device,
        verbose_name=_("device"),
        on_delete=models.CASCADE,
        related_name="worklist_queries",
    )
    asked_at = models.DateTimeField(_("asked at"), db_index=True)
    times = models.PositiveIntegerField(_("times in a row"), default=1)
    # [{"path": ["...", "Modality"], "vr": "CS", "values": ["CT"]}]; values null: given, not kept.
    keys = models.JSONField(_("keys"), default=list)
    zone_minutes = models.SmallIntegerField(_("minutes from UTC"), null=True, blank=True)
    answers = models.PositiveIntegerField(_("answers"))
    cut = models.BooleanField(_("more would have matched"), default=False)
    milliseconds = models.PositiveIntegerField(_("milliseconds"))
    # By step: its ID, the first condition it fails, and what it has there.
    misses = models.JSONField(_("steps that did not match"), default=list, blank=True)

    objects = WorklistQueryQuerySet.as_manager()

    class Meta:
        verbose_name = _("worklist query")
        verbose_name_plural = _("worklist queries")
        ordering = ("-asked_at", "-id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["device", "-asked_at"], name="worklist_query_by_device"),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.asked_at):%Y-%m-%d %H:%M:%S}"
