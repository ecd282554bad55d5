"""What devices are to do (scheduled steps) and what they did (performed steps)."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import RequestedProcedure
from apps.scheduling.models import Appointment
from apps.worklist.models.devices import Device
from apps.worklist.querysets import ScheduledStepQuerySet


class ScheduledStep(models.Model):
    """A scheduled procedure step: one line of the modality worklist (PS3.4 K.6)."""

    policy_noun = Noun.STEP

    class Status(models.TextChoices):
        """Scheduled Procedure Step Status (0040,0020), PS3.3 table C.4-10."""

        SCHEDULED = "SCHEDULED", _("Scheduled")
        ARRIVED = "ARRIVED", _("Arrived")
        READY = "READY", _("Ready")
        STARTED = "STARTED", _("Started")
        COMPLETED = "COMPLETED", _("Completed")
        DISCONTINUED = "DISCONTINUED", _("Discontinued")
        CANCELED = "CANCELED", _("Cancelled")

    requested_procedure = models.ForeignKey(
        RequestedProcedure,
        verbose_name=_("requested procedure"),
        on_delete=models.PROTECT,
        related_name="steps",
    )
    appointment = models.ForeignKey(
        Appointment,
        verbose_name=_("appointment"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="steps",
    )
    identifier = models.CharField(_("scheduled step ID"), max_length=16, unique=True)
    devices = models.ManyToManyField(Device, verbose_name=_("devices"), related_name="steps")
    modality = models.CharField(_("modality"), max_length=16)
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.SCHEDULED
    )
    description = models.CharField(_("description"), max_length=64, blank=True)
    protocol_code = models.CharField(_("protocol code"), max_length=16, blank=True)
    protocol_scheme = models.CharField(_("protocol scheme"), max_length=16, blank=True)
    protocol_meaning = models.CharField(_("protocol"), max_length=64, blank=True)
    performing_physician = models.CharField(
        _("performing physician"),
        max_length=64,
        blank=True,
        help_text=_("As a DICOM PN."),
    )
    station_name = models.CharField(_("station name"), max_length=16, blank=True)
    location = models.CharField(_("location"), max_length=16, blank=True)
    premedication = models.CharField(_("premedication"), max_length=64, blank=True)
    contrast_agent = models.CharField(_("contrast agent"), max_length=64, blank=True)
    comments = models.TextField(_("comments"), blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = ScheduledStepQuerySet.as_manager()

    class Meta:
        verbose_name = _("scheduled step")
        verbose_name_plural = _("scheduled steps")
        ordering = ("starts_at", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A step that runs or ran knows when it started.
            models.CheckConstraint(
                condition=~models.Q(status__in=["STARTED", "COMPLETED"])
                | models.Q(started_at__isnull=False),
                name="scheduled_step_started_has_time",
                violation_error_message=_(
                    "A step that has started needs the time at which it did."
                ),
            ),
            # A step that is over knows when it ended.
            models.CheckConstraint(
                condition=~models.Q(status__in=["COMPLETED", "DISCONTINUED"])
                | models.Q(ended_at__isnull=False),
                name="scheduled_step_ended_has_time",
                violation_error_message=_("A step that is over needs the time at which it ended."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The worklist: open steps by time, and by modality and time.
            models.Index(fields=["status", "starts_at"], name="scheduled_step_by_time"),
            models.Index(fields=["modality", "starts_at"], name="scheduled_step_by_modality"),
        ]

    def __str__(self) -> str:
        return self.identifier


class PerformedStep(models.Model):
    """What a device says it did (MPPS, PS3.3 C.4.13), one row per MPPS SOP Instance."""

    policy_noun = Noun.STEP

    class Status(models.TextChoices):
        """Performed Procedure Step Status (0040,0252); the last two are final."""

        IN_PROGRESS = "IN PROGRESS", _("In progress")
        COMPLETED = "COMPLETED", _("Completed")
        DISCONTINUED = "DISCONTINUED", _("Discontinued")

    sop_instance_uid = models.CharField(_("SOP Instance UID"), max_length=64, unique=True)
    scheduled_steps = models.ManyToManyField(
        ScheduledStep,
        verbose_name=_("scheduled steps"),
        related_name="performed_steps",
        blank=True,
    )
    device = models.ForeignKey(
        Device,
        verbose_name=_("device"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="performed_steps",
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.IN_PROGRESS
    )
    identifier = models.CharField(_("performed step ID"), max_length=16, blank=True)
    ae_title = models.CharField(_("performed station AE title"), max_length=16, blank=True)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    discontinuation_code = models.CharField(_("reason code"), max_length=16, blank=True)
    # The attributes as received (DICOM JSON), N-SET merged over N-CREATE.
    attributes = models.JSONField(_("attributes"), default=dict)

    class Meta:
        verbose_name = _("performed step")
        verbose_name_plural = _("performed steps")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An MPPS has its SOP Instance UID.
            models.CheckConstraint(
                condition=~models.Q(sop_instance_uid=""),
                name="performed_step_has_uid",
                violation_error_message=_("A performed step needs a SOP Instance UID."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["study_instance_uid"], name="performed_step_by_study"),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid
