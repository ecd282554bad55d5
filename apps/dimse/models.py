"""Work between us and devices that outlives an association: promises and retrievals."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.audit.retrying import Attempted
from apps.dimse.querysets import (
    CommitmentInquiryQuerySet,
    CommitmentRequestQuerySet,
    RetrievalQuerySet,
)
from apps.worklist.models import Device


class Asked(Attempted):
    """What somebody asked for, tried until it succeeds or is given up."""

    error = models.CharField(_("last error"), max_length=200, blank=True)
    asked_at = models.DateTimeField(_("asked"), auto_now_add=True)

    class Meta:
        abstract = True


class CommitmentRequest(Asked):
    """A device asks whether its images are safe here (storage commitment, PS3.4 J.3)."""

    policy_noun = Noun.DEVICE

    class Status(models.TextChoices):
        ASKED = "asked", _("Asked")
        VERIFIED = "verified", _("Verified, not told yet")
        TOLD = "told", _("Told")
        FAILED = "failed", _("Could not be told")

    device = models.ForeignKey(
        Device,
        verbose_name=_("device"),
        on_delete=models.CASCADE,
        related_name="commitment_requests",
    )
    transaction_uid = models.CharField(_("Transaction UID"), max_length=64)
    address = models.CharField(_("asked from"), max_length=64, blank=True)
    references = models.JSONField(_("instances"))  # [[SOP class UID, SOP instance UID], ...]
    # [[SOP class UID, SOP instance UID, Failure Reason (0008,1197)], ...], once verified
    failures = models.JSONField(_("not safe"), default=list)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.ASKED
    )
    # The association that asked is open and will be told first.
    asker_connected = models.BooleanField(default=False)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    told_at = models.DateTimeField(_("told"), null=True, blank=True)

    objects = CommitmentRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("storage commitment request")
        verbose_name_plural = _("storage commitment requests")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A transaction of a device is one request.
            models.UniqueConstraint(
                fields=["device", "transaction_uid"],
                name="commitment_request_once",
                violation_error_message=_("This device has used the Transaction UID already."),
            ),
            # What is not told yet knows when it is taken up next.
            models.CheckConstraint(
                condition=~models.Q(status__in=["asked", "verified"])
                | models.Q(next_attempt_at__isnull=False),
                name="commitment_request_open_has_time",
                violation_error_message=_("An open request needs the time of its next attempt."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["asked", "verified"]),
                name="commitment_request_open",
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_uid

    @property
    def committed(self) -> list[tuple[str, str]]:
        """SOP class and SOP instance UIDs of what is safe, in the order asked."""
        failed = {instance for _class, instance, _reason in self.failures}
        return [(one, uid) for one, uid in self.references if uid not in failed]


class CommitmentInquiry(Asked):
    """We ask a device whether images we sent are safe there."""

    policy_noun = Noun.DEVICE

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting to be asked")
        ASKED = "asked", _("Waiting for the report")
        CONFIRMED = "confirmed", _("All are safe there")
        FAILED = "failed", _("Not all are safe there")

    device = models.ForeignKey(
        Device,
        verbose_name=_("device"),
        on_delete=models.CASCADE,
        related_name="commitment_inquiries",
    )
    transaction_uid = models.CharField(_("Transaction UID"), max_length=64, unique=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.WAITING
    )
    reported_at = models.DateTimeField(_("reported"), null=True, blank=True)

    objects = CommitmentInquiryQuerySet.as_manager()

    class Meta:
        verbose_name = _("storage commitment inquiry")
        verbose_name_plural = _("storage commitment inquiries")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # What is not reported yet knows when it is taken up next.
            models.CheckConstraint(
                condition=~models.Q(status__in=["waiting", "asked"])
                | models.Q(next_attempt_at__isnull=False),
                name="commitment_inquiry_open_has_time",
                violation_error_message=_("An open inquiry needs the time of its next attempt."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["waiting", "asked"]),
                name="commitment_inquiry_open",
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_uid


class CommittedInstance(models.Model):
    """What a device says about one instance of an inquiry."""

    policy_noun = Noun.DEVICE

    class Outcome(models.TextChoices):
        OPEN = "open", _("Not reported yet")
        COMMITTED = "committed", _("Safe there")
        FAILED = "failed", _("Not safe there")

    inquiry = models.ForeignKey(
        CommitmentInquiry,
        verbose_name=_("inquiry"),
        on_delete=models.CASCADE,
        related_name="instances",
    )
    sop_class_uid = models.CharField(_("SOP Class UID"), max_length=64)
    sop_instance_uid = models.CharField(_("SOP Instance UID"), max_length=128)
    # Of the file we had when we asked: a promise about other bytes is none.
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=Outcome.choices, default=Outcome.OPEN
    )
    # Failure Reason (0008,1197); null where the device gave none.
    failure_reason = models.PositiveIntegerField(_("failure reason"), null=True, blank=True)

    class Meta:
        verbose_name = _("instance of an inquiry")
        verbose_name_plural = _("instances of an inquiry")
        ordering = ("id",)
        indexes: ClassVar[list[models.Index]] = [
            # Is this instance safe elsewhere?
            models.Index(
                fields=["sop_instance_uid"],
                condition=models.Q(outcome="committed"),
                name="committed_instance_by_uid",
            ),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid


class Retrieval(Asked):
    """A study, or one series of it, that is fetched from another archive."""

    policy_noun = Noun.STUDY

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    device = models.ForeignKey(
        Device,
        verbose_name=_("archive"),
        on_delete=models.CASCADE,
        related_name="retrievals",
    )
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64)
    # Empty: the whole study.
    series_instance_uid = models.CharField(_("Series Instance UID"), max_length=64, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.WAITING
    )
    # Sub-operations as the archive counts them (PS3.4 C.4.2.1.6).
    remaining = models.PositiveIntegerField(_("remaining"), default=0)
    completed = models.PositiveIntegerField(_("received"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    warnings = models.PositiveIntegerField(_("with warnings"), default=0)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = RetrievalQuerySet.as_manager()

    class Meta:
        verbose_name = _("retrieval")
        verbose_name_plural = _("retrievals")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The same is not fetched twice at once.
            models.UniqueConstraint(
                fields=["device", "study_instance_uid", "series_instance_uid"],
                condition=models.Q(status__in=["waiting", "running"]),
                name="retrieval_open_once",
                violation_error_message=_("This is being retrieved already."),
            ),
            # What is not finished knows when it is taken up next.
            models.CheckConstraint(
                condition=~models.Q(status__in=["waiting", "running"])
                | models.Q(next_attempt_at__isnull=False),
                name="retrieval_open_has_time",
                violation_error_message=_("An open retrieval needs the time of its next attempt."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["waiting", "running"]),
                name="retrieval_open",
            ),
        ]

    def __str__(self) -> str:
        return self.series_instance_uid or self.study_instance_uid

    @property
    def progress(self) -> dict[str, Any]:
        """What is done of how much, for a progress bar."""
        done = self.completed + self.failed + self.warnings
        return {"done": done, "all": done + self.remaining}
