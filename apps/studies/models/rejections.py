"""What was taken out of use, by whom and why. The files stay as they are."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.studies.models.index import Instance, Series, Study
from apps.studies.querysets import RejectionQuerySet


class Rejection(models.Model):
    """A study, series or image that nobody is to be shown any more (IHE RAD, IOCM).

    `series` or `instance` narrow it. As long as it is in force every image concerned points
    to it; what comes anew for a rejected study or series is rejected with it.
    """

    policy_noun = Noun.STUDY

    class Code(models.TextChoices):
        """The reasons of IOCM (PS3.16 CID 7011), and one of our own that no person gives."""

        QUALITY = "113001", _("Quality")
        PATIENT_SAFETY = "113037", _("Patient safety")
        WRONG_WORKLIST_ENTRY = "113038", _("Wrong worklist entry")
        DATA_RETENTION = "113039", _("Data retention period is over")
        SUPERSEDED = "superseded", _("Another version took its place")

        @classmethod
        def given(cls) -> list[tuple[str, str]]:
            """Those that people may give."""
            given = (one for one in cls if one is not cls.SUPERSEDED)
            return [(one.value, str(one.label)) for one in given]

    # Made by us: the same in the database and in the document beside the files.
    number = models.CharField(_("number"), max_length=32, unique=True)
    study = models.ForeignKey(
        Study, verbose_name=_("study"), on_delete=models.CASCADE, related_name="rejections"
    )
    series = models.ForeignKey(
        Series,
        verbose_name=_("series"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    instance = models.ForeignKey(
        Instance,
        verbose_name=_("instance"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    code = models.CharField(_("kind of reason"), max_length=16, choices=Code.choices)
    reason = models.CharField(_("reason"), max_length=200)
    # What the study was when it was rejected, to be that again.
    status_before = models.CharField(max_length=16, choices=Study.Status.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("rejected by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    at = models.DateTimeField(_("rejected"), default=timezone.now)
    restored_at = models.DateTimeField(_("restored"), null=True, blank=True)
    restored_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("restored by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = RejectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("rejection")
        verbose_name_plural = _("rejections")
        ordering = ("-at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A rejection says why.
            models.CheckConstraint(
                condition=~models.Q(reason=""),
                name="rejection_has_reason",
                violation_error_message=_("A rejection needs a reason."),
            ),
            # Only what was restored was restored by somebody.
            models.CheckConstraint(
                condition=models.Q(restored_by=None) | models.Q(restored_at__isnull=False),
                name="rejection_restored_has_time",
                violation_error_message=_("A rejection that was taken back needs the time of it."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The list under Quality: what is rejected now, newest first.
            models.Index(
                fields=["-at", "-id"],
                condition=models.Q(restored_at=None),
                name="rejection_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()}: {self.reason}"
