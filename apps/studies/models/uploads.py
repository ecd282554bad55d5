"""Files on their way in from a browser, piece by piece."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.querysets import UploadQuerySet

KEPT_FOR = timedelta(days=1)


def new_key() -> str:
    """A name that nobody can guess."""
    return secrets.token_hex(16)


class Upload(models.Model):
    """One file of a user: how much of it is here, whose it is said to be, what became of it.

    Its bytes are in `path`, and how many there are is what that file says.
    """

    policy_noun = Noun.STUDY

    class State(models.TextChoices):
        RECEIVING = "receiving", _("Uploading")
        RECEIVED = "received", _("Uploaded")
        DONE = "done", _("Finished")

    class Pictures(models.TextChoices):
        """What a JPEG or PNG becomes."""

        CAPTURE = "capture", _("Picture of a screen or document")
        PHOTO = "photo", _("Photograph of the patient")

    key = models.CharField(max_length=32, unique=True, default=new_key)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="uploads",
    )
    # Files chosen together: their pictures make one study.
    batch = models.CharField(_("batch"), max_length=32)
    name = models.CharField(_("file"), max_length=255)
    size = models.PositiveBigIntegerField(_("bytes"))
    # Name, length and date of the user's file: the same file chosen again goes on.
    fingerprint = models.CharField(max_length=300, blank=True)
    patient = models.ForeignKey(
        Patient,
        verbose_name=_("patient"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    procedure = models.ForeignKey(
        RequestedProcedure,
        verbose_name=_("procedure"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    pictures = models.CharField(
        _("pictures"), max_length=16, choices=Pictures.choices, default=Pictures.CAPTURE
    )
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.RECEIVING
    )
    # [{"name", "outcome", "words", "study"}, ...], one for each file within.
    results = models.JSONField(_("results"), default=list, blank=True)
    created_at = models.DateTimeField(_("begun"), default=timezone.now)

    objects = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Of a patient or of an order, not of both.
            models.CheckConstraint(
                condition=models.Q(patient=None) | models.Q(procedure=None),
                name="upload_for_patient_or_order",
                violation_error_message=_("Choose a patient or an order."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "batch"], name="upload_by_batch"),
            models.Index(fields=["created_at"], name="upload_by_time"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def path(self) -> Path:
        """Where its bytes are: a name of ours, below the spool."""
        return Path(settings.SPOOL_DIR) / "uploads" / self.key

    @property
    def offset(self) -> int:
        """How many bytes of it are here."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def target(self) -> Patient | None:
        """Whose it is said to be."""
        return self.procedure.order.patient if self.procedure else self.patient
