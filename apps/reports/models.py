"""Reports: one per order, its drafts and pictures, and signed versions that never change."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import Order, Procedure
from apps.reports.querysets import (
    READING_TARGETS,
    RELEASED,
    ReportPictureQuerySet,
    ReportQuerySet,
    ReportVersionQuerySet,
)
from apps.studies.models import Study


class Section(models.TextChoices):
    """The parts of a report, in reading order."""

    TECHNIQUE = "technique", _("Technique")
    FINDINGS = "findings", _("Findings")
    IMPRESSION = "impression", _("Impression")


class ReportTemplate(models.Model):
    """Text to start from; chosen by procedure, else by modality."""

    policy_noun = Noun.TEMPLATE

    name = models.CharField(_("name"), max_length=64, unique=True)
    modality = models.CharField(
        _("modality"), max_length=16, blank=True, help_text=_("Empty: any modality.")
    )
    procedures = models.ManyToManyField(Procedure, verbose_name=_("procedures"), blank=True)
    technique = models.TextField(_("technique"), blank=True)
    findings = models.TextField(_("findings"), blank=True)
    impression = models.TextField(_("impression"), blank=True)
    active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("report template")
        verbose_name_plural = _("report templates")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Report(models.Model):
    """The report of one order, and what is being written for its next version."""

    policy_noun = Noun.REPORT

    class Status(models.TextChoices):
        """ris.md section 3."""

        UNREAD = "unread", _("Unread")
        CLAIMED = "claimed", _("Claimed")
        DRAFT = "draft", _("Draft")
        PRELIMINARY = "preliminary", _("Preliminary")
        FINAL = "final", _("Final")
        ADDENDED = "addended", _("With addendum")
        CORRECTED = "corrected", _("Corrected")
        CANCELLED = "cancelled", _("Cancelled")

    order = models.OneToOneField(
        Order, verbose_name=_("order"), on_delete=models.PROTECT, related_name="report"
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.UNREAD
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("claimed by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    technique = models.TextField(_("technique"), blank=True)
    findings = models.TextField(_("findings"), blank=True)
    impression = models.TextField(_("impression"), blank=True)
    # Counts saves: two editors of one draft are told of one another.
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ("created_at", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A claimed report or a draft has an owner, and since when.
            models.CheckConstraint(
                condition=~models.Q(status__in=["claimed", "draft"])
                | models.Q(claimed_by__isnull=False, claimed_at__isnull=False),
                name="report_claimed_has_owner",
                violation_error_message=_(
                    "A claimed report needs the person who claimed it, and since when."
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "created_at"], name="report_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.order)

    @property
    def is_released(self) -> bool:
        """A final result stands: only addenda may follow."""
        return self.status in RELEASED

    @property
    def exam(self) -> str:
        """What was asked for, in one line. Uses the prefetch."""
        return ", ".join(one.meaning for one in self.order.procedures.all())

    @property
    def modalities(self) -> list[str]:
        """The modalities of the exam, each once. Uses the prefetch."""
        found = (one.procedure.modality for one in self.order.procedures.all())
        return list(dict.fromkeys(found))

    @property
    def studies(self) -> list[Study]:
        """The studies that answer the order, each once. Uses the prefetch."""
        found = {
            one.pk: one for asked in self.order.procedures.all() for one in asked.studies.all()
        }
        return list(found.values())

    @property
    def study_uids(self) -> str:
        """Their UIDs as the viewer takes them, with commas; empty without images."""
        return ",".join(study.study_instance_uid for study in self.studies)

    @property
    def image_count(self) -> int:
        return sum(study.instance_count for study in self.studies)

    @property
    def waited(self) -> str:
        """How long it has waited: `3 d 2 h`, `2 h 5 min`, `7 min`."""
        minutes = int((timezone.now() - self.created_at).total_seconds()) // 60
        hours, days = minutes // 60, minutes // 1440
        if days:
            return gettext("%(days)s d %(hours)s h") % {"days": days, "hours": hours % 24}
        if hours:
            return gettext("%(hours)s h %(minutes)s min") % {
                "hours": hours,
                "minutes": minutes % 60,
            }
        return gettext("%(minutes)s min") % {"minutes": minutes}

    @property
    def urgency(self) -> str:
        """How much of the time it may wait is used: `calm` to a half, `soon`, then `late`."""
        target = READING_TARGETS[Order.Priority(self.order.priority)]
        used = (timezone.now() - self.created_at) / target
        return "calm" if used < 0.5 else "soon" if used < 1 else "late"


class ReportVersion(models.Model):
    """A signed state of a report: text, signer, PDF and hash.

    Written once: the database refuses to change or delete a row (migration 0002). The
    text of an addendum stands in `findings`.
    """

    policy_noun = Noun.REPORT

    class Status(models.TextChoices):
        """HL7 table 0123 beside: P, F, F (addendum), C."""

        PRELIMINARY = "preliminary", _("Preliminary")
        FINAL = "final", _("Final")
        ADDENDUM = "addendum", _("Addendum")
        CORRECTED = "corrected", _("Corrected")

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField(_("version"))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    technique = models.TextField(_("technique"), blank=True)
    findings = models.TextField(_("findings"), blank=True)
    impression = models.TextField(_("impression"), blank=True)
    # Who the patient was when it was signed: name, identifier, date of birth, sex.
    patient_header = models.JSONField(_("patient at the time"), default=dict)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    signer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("signed by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    signed_at = models.DateTimeField(_("signed at"))
    pdf = models.BinaryField(_("PDF"))
    pdf_sha256 = models.CharField(_("SHA-256 of the PDF"), max_length=64)

    objects = ReportVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("report version")
        verbose_name_plural = _("report versions")
        ordering = ("report", "number")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Versions of a report are counted.
            models.UniqueConstraint(
                fields=["report", "number"],
                name="report_version_counted",
                violation_error_message=_(
                    "There is a version of this report with this number already."
                ),
            ),
            # A signed version says something.
            models.CheckConstraint(
                condition=~models.Q(findings="", impression=""),
                name="report_version_not_empty",
                violation_error_message=_("A signed report needs findings or an impression."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.report} v{self.number}"


class ReportPicture(models.Model):
    """A picture of the viewer that a report shows: what somebody saw, and where.

    It may come and go until the report is final; each signed version has those of its
    time in its PDF.
    """

    policy_noun = Noun.REPORT

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="pictures")
    place = models.PositiveSmallIntegerField(_("place"))
    picture = models.BinaryField(_("picture"))
    media_type = models.CharField(_("media type"), max_length=16)
    width = models.PositiveSmallIntegerField(_("width"))
    height = models.PositiveSmallIntegerField(_("height"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    caption = models.CharField(_("caption"), max_length=300, blank=True)
    # What it shows. A slice through a volume has no one image.
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64)
    series_instance_uid = models.CharField(_("Series Instance UID"), max_length=64, blank=True)
    sop_instance_uid = models.CharField(_("SOP Instance UID"), max_length=64, blank=True)
    frame = models.PositiveIntegerField(_("frame"), null=True, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("added by"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    added_at = models.DateTimeField(_("added at"), auto_now_add=True)

    objects = ReportPictureQuerySet.as_manager()

    class Meta:
        verbose_name = _("picture of a report")
        verbose_name_plural = _("pictures of reports")
        ordering = ("report", "place", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Of what a picture is taken is known.
            models.CheckConstraint(
                condition=~models.Q(study_instance_uid=""),
                name="report_picture_has_study",
                violation_error_message=_("A picture of a report shows a study."),
            ),
        ]

    def __str__(self) -> str:
        return self.caption or self.sha256[:12]
