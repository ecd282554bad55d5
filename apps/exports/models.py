"""Studies on their way out as files, and by which profile they are made nameless."""

import secrets
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.validators import MinLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.audit.leasing import Leased, held_has_lease
from apps.exports.querysets import ExportQuerySet, HeldObjectQuerySet
from apps.studies.models import Instance, Study


def new_secret() -> str:
    return secrets.token_hex(32)


class Profile(models.Model):
    """How objects are made nameless: the Basic Profile of PS3.15 annex E, and its options.

    The secret makes the codes and UIDs: with one profile a patient gets the same ones in
    every export, with another profile others.
    """

    policy_noun = Noun.EXPORT

    name = models.CharField(_("name"), max_length=64, unique=True)
    options = models.JSONField(_("options"), default=list, blank=True)
    secret = models.CharField(
        max_length=64, default=new_secret, editable=False, validators=[MinLengthValidator(64)]
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("profile of anonymised exports")
        verbose_name_plural = _("profiles of anonymised exports")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Without a secret anybody could compute the codes.
            models.CheckConstraint(
                condition=~models.Q(secret=""),
                name="export_profile_has_secret",
                violation_error_message=_("A profile needs a secret."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Export(Leased):
    """Studies that somebody asked for as one file."""

    policy_noun = Noun.EXPORT

    class Kind(models.TextChoices):
        ZIP = "zip", _("DICOM files in a ZIP archive")
        DISC = "disc", _("Image of a disc to burn (ISO)")
        PICTURES = "pictures", _("Pictures and films (JPEG, PNG, MP4)")
        FILM = "film", _("Film of a series (MP4)")
        ANONYMISED = "anonymised", _("Anonymised DICOM files in a ZIP archive")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Being made")
        HELD = "held", _("To be looked at")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Deleted")

    UNDER_WAY = (Status.QUEUED, Status.RUNNING)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked for by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    studies = models.ManyToManyField(Study, verbose_name=_("studies"), related_name="exports")
    kind = models.CharField(_("what"), max_length=16, choices=Kind.choices)
    # `viewer`: true; `pictures`: "jpeg" or "png"; of a film what `film_options` says.
    options = models.JSONField(_("options"), default=dict, blank=True)
    profile = models.ForeignKey(
        Profile,
        verbose_name=_("profile"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="exports",
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.QUEUED
    )
    # Anonymised only: somebody has seen what will be written, and decided on what was held.
    released_at = models.DateTimeField(_("released"), null=True, blank=True)
    done_count = models.PositiveIntegerField(_("objects done"), default=0)
    total_count = models.PositiveIntegerField(_("objects"), default=0)
    left_out_count = models.PositiveIntegerField(_("objects left out"), default=0)
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    # Below the folder of exports; made by us.
    file_name = models.CharField(_("file"), max_length=100, blank=True)
    error = models.CharField(_("what went wrong"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"))

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # What is being made is leased to a worker.
            held_has_lease(
                status="running",
                name="export_running_has_lease",
                message=_("An export that is being made needs a lease."),
            ),
            # What is ready has a file.
            models.CheckConstraint(
                condition=~models.Q(status="done") | ~models.Q(file_name=""),
                name="export_done_has_file",
                violation_error_message=_("An export that is ready needs a file."),
            ),
            # What is made nameless is so by a profile.
            models.CheckConstraint(
                condition=~models.Q(kind="anonymised") | models.Q(profile__isnull=False),
                name="export_anonymised_has_profile",
                violation_error_message=_("Choose a profile for the anonymised export."),
            ),
            # Nothing nameless is ready without somebody having looked.
            models.CheckConstraint(
                condition=~models.Q(kind="anonymised", status="done")
                | models.Q(released_at__isnull=False),
                name="export_anonymised_was_released",
                violation_error_message=_("Somebody must look before this export is made."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "id"], name="export_by_status"),
            models.Index(fields=["user", "-id"], name="export_by_user"),
            models.Index(fields=["expires_at"], name="export_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    @property
    def is_under_way(self) -> bool:
        return self.status in self.UNDER_WAY

    @property
    def is_ready(self) -> bool:
        return self.status == self.Status.DONE and self.expires_at > timezone.now()

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done_count // max(self.total_count, 1))

    @property
    def path(self) -> Path:
        """Where its file is, or will be."""
        return Path(settings.EXPORTS_DIR) / self.file_name

    @property
    def download_name(self) -> str:
        """What the file is called at the user's: it names nobody."""
        return f"{self.kind}-{self.pk}.{self.ending}"

    @property
    def ending(self) -> str:
        """Of the name of its file."""
        return {self.Kind.DISC.value: "iso", self.Kind.FILM.value: "mp4"}.get(self.kind, "zip")

    @property
    def media_type(self) -> str:
        """Of its file."""
        known = {"iso": "application/x-iso9660-image", "mp4": "video/mp4"}
        return known.get(self.ending, "application/zip")


class HeldObject(models.Model):
    """An object whose pixels or text may name somebody, and what a person decided on it."""

    policy_noun = Noun.EXPORT

    class Decision(models.TextChoices):
        OPEN = "open", _("Not looked at yet")
        TAKEN = "taken", _("Taken along")
        LEFT_OUT = "left-out", _("Left out")

    export = models.ForeignKey(
        Export, verbose_name=_("export"), on_delete=models.CASCADE, related_name="held"
    )
    instance = models.ForeignKey(
        Instance, verbose_name=_("object"), on_delete=models.CASCADE, related_name="+"
    )
    reason = models.CharField(_("why"), max_length=32)
    decision = models.CharField(
        _("decision"), max_length=16, choices=Decision.choices, default=Decision.OPEN
    )
    # [[left, top, width, height], ...] in pixels, to be blanked in all frames.
    regions = models.JSONField(_("blanked"), default=list, blank=True)

    objects = HeldObjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("held object")
        verbose_name_plural = _("held objects")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An object is decided on once.
            models.UniqueConstraint(
                fields=["export", "instance"],
                name="held_object_once",
                violation_error_message=_("This object is held already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} #{self.pk}"

    @property
    def shown_frames(self) -> list[int]:
        """The first, the middle and the last frame: what is written may come and go."""
        last = max(self.instance.frames, 1)
        return sorted({1, (last + 1) // 2, last})


class Pseudonym(models.Model):
    """The code that stands for a patient in an export. Shown to few: it is the key."""

    policy_noun = Noun.EXPORT

    export = models.ForeignKey(
        Export, verbose_name=_("export"), on_delete=models.CASCADE, related_name="pseudonyms"
    )
    patient_identifier = models.CharField(_("Patient ID"), max_length=64)
    patient_identifier_issuer = models.CharField(_("issuer"), max_length=64, blank=True)
    code = models.CharField(_("code"), max_length=64)

    class Meta:
        verbose_name = _("code of a patient")
        verbose_name_plural = _("codes of patients")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # One code for a patient of an export.
            models.UniqueConstraint(
                fields=["export", "patient_identifier", "patient_identifier_issuer"],
                name="pseudonym_once_per_patient",
                violation_error_message=_("This patient has a code in this export already."),
            ),
        ]

    def __str__(self) -> str:
        return self.code
