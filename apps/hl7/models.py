"""HL7 partners, and every message in or out with its raw bytes."""

import zoneinfo
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.audit.models import Event
from apps.audit.retrying import Attempted
from apps.hl7.charsets import codec_of
from apps.hl7.querysets import MessageQuerySet, PartnerQuerySet


def validate_time_zone(name: str) -> None:
    """Only zones that this machine knows."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("This time zone is not known."))


def validate_character_set(name: str) -> None:
    """Only character sets that can be read and written."""
    if codec_of(name) is None:
        raise ValidationError(_("This character set is not known."))


class Partner(models.Model):
    """A system that sends us HL7 v2, receives it from us, or both (MLLP)."""

    policy_noun = Noun.PARTNER

    name = models.CharField(_("name"), max_length=64, unique=True)
    application = models.CharField(
        _("its application"),
        max_length=180,
        help_text=_("MSH-3 of its messages, MSH-5 of ours."),
    )
    facility = models.CharField(
        _("its facility"),
        max_length=180,
        blank=True,
        help_text=_("MSH-4 of its messages, MSH-6 of ours."),
    )
    address = models.CharField(
        _("calls from"),
        max_length=253,
        blank=True,
        help_text=_("Address it must call from; empty: any."),
    )
    host = models.CharField(_("host we send to"), max_length=253, blank=True)
    port = models.PositiveIntegerField(_("port we send to"), default=2575)
    may_send_patients = models.BooleanField(_("may send patients (ADT)"), default=True)
    may_send_orders = models.BooleanField(_("may send orders (ORM)"), default=True)
    receives_results = models.BooleanField(_("receives results (ORU)"), default=False)
    patient_issuer = models.CharField(
        _("issuer of its patient numbers"),
        max_length=64,
        blank=True,
        help_text=_("Used where PID-3.4 is empty."),
    )
    character_set = models.CharField(
        _("character set"),
        max_length=32,
        default="UNICODE UTF-8",
        validators=[validate_character_set],
        help_text=_("Used where MSH-18 is empty."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Of its times without an offset, such as Europe/Vienna; empty: ours."),
    )
    active = models.BooleanField(_("in use"), default=True)

    objects = PartnerQuerySet.as_manager()

    class Meta:
        verbose_name = _("HL7 partner")
        verbose_name_plural = _("HL7 partners")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A sender is one partner.
            models.UniqueConstraint(
                fields=["application", "facility"],
                name="partner_named_once",
                violation_error_message=_(
                    "There is a partner with this application and facility already."
                ),
            ),
            # A TCP port.
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65535),
                name="partner_port_in_range",
                violation_error_message=_("A port is a number from 1 to 65535."),
            ),
            # A partner that receives has an address.
            models.CheckConstraint(
                condition=models.Q(receives_results=False) | ~models.Q(host=""),
                name="partner_receiving_has_host",
                violation_error_message=_("A partner that receives results needs a host."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """Where its clock stands."""
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)

    @property
    def numbers_namespace(self) -> str:
        """Who issued a patient number that names nobody: the setting, else the sender."""
        return (self.patient_issuer or self.facility or self.application)[:64]


class Message(Attempted):
    """One HL7 message: raw bytes first, then what became of it."""

    policy_noun = Noun.PARTNER

    class Direction(models.TextChoices):
        IN = "in", _("Received")
        OUT = "out", _("Sent")

    class Status(models.TextChoices):
        STORED = "stored", _("Stored")
        PROCESSED = "processed", _("Processed")
        REFUSED = "refused", _("Refused")
        WAITING = "waiting", _("Waiting to be sent")
        SENT = "sent", _("Sent and acknowledged")
        DEAD = "dead", _("Given up")

    direction = models.CharField(_("direction"), max_length=4, choices=Direction.choices)
    partner = models.ForeignKey(
        Partner,
        verbose_name=_("partner"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
    )
    event = models.ForeignKey(
        Event,
        verbose_name=_("journal row"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    control_id = models.CharField(_("control ID"), max_length=199, blank=True)
    message_type = models.CharField(_("type"), max_length=16, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    # What it is about ("patient:12", "report:5"): order is kept within it.
    stream = models.CharField(max_length=64, blank=True)
    # When it happened at the sender (EVN-2, else MSH-7): older news does not undo newer.
    happened_at = models.DateTimeField(_("happened at"), null=True, blank=True)
    raw = models.BinaryField(_("message"))
    # SHA-256 of its type and what follows its MSH: a repeat is told from a re-used control ID.
    body_sha256 = models.CharField(max_length=64, blank=True)
    acknowledgement = models.BinaryField(_("acknowledgement"), null=True, blank=True)
    # How often the sender repeated it after it had been answered.
    repeats = models.PositiveIntegerField(_("repeats"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("last error"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("HL7 message")
        verbose_name_plural = _("HL7 messages")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An event sends a partner one message.
            models.UniqueConstraint(
                fields=["event", "partner", "message_type"],
                name="message_once_per_event_and_partner",
                violation_error_message=_(
                    "This partner is sent one message about this event only."
                ),
            ),
            # A message is taken once, however often it is sent.
            models.UniqueConstraint(
                fields=["partner", "control_id", "body_sha256"],
                condition=models.Q(direction="in", partner__isnull=False),
                name="message_received_once",
                violation_error_message=_("This message of this partner was received already."),
            ),
            # A waiting message knows when it is tried next.
            models.CheckConstraint(
                condition=~models.Q(status="waiting") | models.Q(next_attempt_at__isnull=False),
                name="message_waiting_has_time",
                violation_error_message=_("A waiting message needs the time of its next attempt."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Is this control ID a repeat?
            models.Index(fields=["partner", "control_id"], name="message_by_control_id"),
            # What else was said about the same thing?
            models.Index(fields=["stream", "partner", "id"], name="message_by_stream"),
            # The sender's queue.
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status="waiting"),
                name="message_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_type} {self.control_id}"
