"""Devices, what they are to do (scheduled steps) and what they did (performed steps)."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import RequestedProcedure
from apps.scheduling.models import Appointment, Resource
from apps.worklist.querysets import (
    DeviceQuerySet,
    ScheduledStepQuerySet,
    WorklistQueryQuerySet,
)


class Device(models.Model):
    """An application entity that may call us or be called: modality, workstation, archive."""

    policy_noun = Noun.DEVICE

    name = models.CharField(_("name"), max_length=64)
    ae_title = models.CharField(_("AE title"), max_length=16, unique=True)
    host = models.CharField(_("host"), max_length=253, blank=True)
    port = models.PositiveIntegerField(_("port"), default=104)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    station_name = models.CharField(_("station name"), max_length=16, blank=True)
    resource = models.ForeignKey(
        Resource,
        verbose_name=_("room"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="devices",
    )
    character_set = models.CharField(
        _("character set of answers"),
        max_length=64,
        default="ISO_IR 192",
        help_text=_("DICOM Specific Character Set (0008,0005) the device can read."),
    )
    active = models.BooleanField(_("may connect"), default=True)
    check_address = models.BooleanField(
        _("only from its host"),
        default=False,
        help_text=_("Refuse this AE title when it calls from another address."),
    )
    may_store = models.BooleanField(_("may send images"), default=True)
    may_query = models.BooleanField(_("may query"), default=False)
    may_retrieve = models.BooleanField(_("may retrieve images"), default=False)
    may_read_worklist = models.BooleanField(_("may read the worklist"), default=True)
    may_report_steps = models.BooleanField(_("may report MPPS"), default=True)
    may_receive = models.BooleanField(
        _("may be sent images"),
        default=False,
        help_text=_("A destination of C-MOVE, of forwarding and of the send buttons."),
    )
    only_own_steps = models.BooleanField(
        _("sees only its own worklist items"),
        default=False,
        help_text=_("Otherwise a device sees what it asks for."),
    )
    only_own_modality = models.BooleanField(
        _("sees its own modality unless it asks for another"),
        default=False,
        help_text=_("For devices that ask for everything."),
    )
    hidden_statuses = models.JSONField(
        _("steps it is not shown"),
        default=list,
        blank=True,
        help_text=_("Statuses of scheduled steps, beside those no worklist shows."),
    )
    group = models.CharField(
        _("AE group"),
        max_length=64,
        blank=True,
        help_text=_("Devices of one group share rules, for example all scanners of a maker."),
    )
    # What it can read.
    name_length = models.PositiveSmallIntegerField(
        _("longest name"),
        null=True,
        blank=True,
        help_text=_("Characters of a person name the device can take; empty: no limit."),
    )
    # What it is sent: transfer syntax UIDs, the most wanted first; empty: as stored.
    accepted_syntaxes = models.JSONField(_("transfer syntaxes it takes"), default=list, blank=True)
    preferred_syntax = models.CharField(
        _("compress images sent to it as"),
        max_length=64,
        blank=True,
        help_text=_("A transfer syntax UID; empty: as stored where it takes that."),
    )
    private_classes = models.JSONField(
        _("private SOP classes it may send"), default=list, blank=True
    )
    parallel_associations = models.PositiveSmallIntegerField(
        _("associations for sending to it"),
        default=1,
        help_text=_("Images of one transfer are sent over so many associations at once."),
    )
    retrieve_by_get = models.BooleanField(
        _("is retrieved from by C-GET"),
        default=False,
        help_text=_("Otherwise by C-MOVE: then it has to know our AE title and address."),
    )
    may_commit = models.BooleanField(
        _("confirms storage"),
        default=False,
        help_text=_("It answers storage commitment requests: asked before anything is purged."),
    )
    wants_availability = models.BooleanField(
        _("is told of new studies"),
        default=False,
        help_text=_("By Instance Availability Notification when a study is complete."),
    )
    # How it is connected.
    max_associations = models.PositiveSmallIntegerField(
        _("associations at once"), null=True, blank=True, help_text=_("Empty: no limit of its own.")
    )
    tls = models.BooleanField(
        _("is called over TLS"), default=False, help_text=_("Associations we open to it.")
    )
    require_tls = models.BooleanField(
        _("only over TLS"),
        default=False,
        help_text=_("Refuse this AE title on a connection that is not encrypted."),
    )
    certificate_sha256 = models.CharField(
        _("fingerprint of its certificate"),
        max_length=64,
        blank=True,
        help_text=_("SHA-256 in hexadecimal; the device then has to show this certificate."),
    )
    identity_user = models.CharField(
        _("user name it has to give"),
        max_length=64,
        blank=True,
        help_text=_("User identity negotiation (PS3.7 D.3.3.7); empty: none is asked for."),
    )
    identity_password = models.CharField(
        _("password it has to give"), max_length=128, blank=True, editable=False
    )  # hashed
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    echoed_at = models.DateTimeField(_("last echo test"), null=True, blank=True)
    echo_result = models.CharField(_("result of the echo test"), max_length=200, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An AE title is not empty (PS3.8 9.3.2).
            models.CheckConstraint(
                condition=~models.Q(ae_title=""),
                name="device_has_ae_title",
                violation_error_message=_("A device needs an AE title."),
            ),
            # A TCP port.
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65535),
                name="device_port_in_range",
                violation_error_message=_("A port is a number from 1 to 65535."),
            ),
            # A device that is checked by address has one.
            models.CheckConstraint(
                condition=models.Q(check_address=False) | ~models.Q(host=""),
                name="device_checked_has_host",
                violation_error_message=_("A device whose address is checked needs a host."),
            ),
            # At least one association, and no flood of them.
            models.CheckConstraint(
                condition=models.Q(parallel_associations__gte=1, parallel_associations__lte=8),
                name="device_parallel_in_range",
                violation_error_message=_("Images are sent over 1 to 8 associations at once."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"


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
        return f"{self.device_id} {self.asked_at:%Y-%m-%d %H:%M:%S}"
