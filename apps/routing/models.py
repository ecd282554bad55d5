"""Rules that send studies on, and what is on its way to which device."""

import datetime
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.audit.leasing import Leased, held_has_lease
from apps.audit.models import Event
from apps.orders.models import Referrer
from apps.routing.querysets import RuleQuerySet, TransferItemQuerySet, TransferQuerySet
from apps.studies.models import Instance, Series, Study
from apps.worklist.models import Device


class Priority(models.IntegerChoices):
    """Lower goes first."""

    HIGH = 1, _("Before others")
    NORMAL = 2, _("Normal")
    LOW = 3, _("After others")


class Rule(models.Model):
    """Which complete studies are sent where. What is empty does not narrow."""

    policy_noun = Noun.TRANSFER

    name = models.CharField(_("name"), max_length=64, unique=True)
    active = models.BooleanField(_("in use"), default=True)
    matched_only = models.BooleanField(
        _("only studies matched to an order"),
        default=False,
        help_text=_("A study that finds its order later is sent then."),
    )
    modalities = models.CharField(
        _("modalities"),
        max_length=64,
        blank=True,
        help_text=_("One or several, such as CT, MR; empty: any."),
    )
    source = models.ForeignKey(
        Device,
        verbose_name=_("sent by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The device the images came from; empty: any."),
    )
    source_group = models.CharField(
        _("sent by a device of the AE group"),
        max_length=64,
        blank=True,
        help_text=_("As entered at the devices; empty: any."),
    )
    referrer = models.ForeignKey(
        Referrer,
        verbose_name=_("referrer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Of the order the study belongs to; empty: any."),
    )
    description = models.CharField(
        _("study description"),
        max_length=128,
        blank=True,
        help_text=_("With * for any text and ? for one character, such as *thorax*; empty: any."),
    )
    destinations = models.ManyToManyField(
        Device,
        verbose_name=_("destinations"),
        related_name="routing_rules",
        limit_choices_to={"may_receive": True},
    )
    delay_minutes = models.PositiveSmallIntegerField(
        _("wait before sending"), default=0, help_text=_("Minutes.")
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )

    objects = RuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("routing rule")
        verbose_name_plural = _("routing rules")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A delay of a week at most: longer is a forgotten study.
            models.CheckConstraint(
                condition=models.Q(delay_minutes__lte=10080),
                name="rule_delay_in_range",
                violation_error_message=_("A study can wait for a week at most (10080 minutes)."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def conditions(self) -> list[str]:
        """What narrows the rule, for a list of rules."""
        found = [
            self.modalities,
            self.source.name if self.source else "",
            self.source_group,
            str(self.referrer) if self.referrer else "",
            self.description,
            str(_("with an order")) if self.matched_only else "",
        ]
        return [words for words in found if words]

    @property
    def modality_list(self) -> list[str]:
        return [one.upper() for one in self.modalities.replace(",", " ").split()]

    @property
    def delay(self) -> datetime.timedelta:
        return datetime.timedelta(minutes=self.delay_minutes)


class Transfer(Leased):
    """A study on its way to a device, or the news of it; one row per event and destination."""

    policy_noun = Noun.TRANSFER

    class Content(models.TextChoices):
        IMAGES = "images", _("Images")
        # Instance Availability Notification, PS3.4 annex R.
        AVAILABILITY = "availability", _("Notice of availability")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        PARTLY = "partly", _("Partly sent, given up")
        FAILED = "failed", _("Not sent, given up")
        DROPPED = "dropped", _("Dropped")

    GIVEN_UP = (Status.PARTLY, Status.FAILED)
    UNDER_WAY = (Status.WAITING, Status.SENDING)

    content = models.CharField(
        _("what"), max_length=16, choices=Content.choices, default=Content.IMAGES
    )
    study = models.ForeignKey(
        Study, verbose_name=_("study"), on_delete=models.CASCADE, related_name="transfers"
    )
    series = models.ManyToManyField(
        Series,
        verbose_name=_("series"),
        related_name="+",
        blank=True,
        help_text=_("Empty: the whole study."),
    )
    destination = models.ForeignKey(
        Device, verbose_name=_("to"), on_delete=models.PROTECT, related_name="transfers"
    )
    event = models.ForeignKey(
        Event,
        verbose_name=_("journal row"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    rule = models.ForeignKey(
        Rule,
        verbose_name=_("rule"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="transfers",
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked for by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    # Of a request by hand: a form sent twice is one request. Of a notice: its SOP Instance UID.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    # Images that came late: those the destination got before are not sent again.
    only_new = models.BooleanField(_("late images only"), default=False)
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.WAITING
    )
    # Attempts in a row that were cut off before the destination answered: none of the above.
    cuts = models.PositiveSmallIntegerField(_("attempts cut off"), default=0)
    next_attempt_at = models.DateTimeField(
        _("next attempt"), null=True, blank=True, default=timezone.now
    )
    # The last attempt did not reach the destination: what else waits for it waits too.
    unreached = models.BooleanField(default=False)
    total_count = models.PositiveIntegerField(_("images to send"), default=0)
    sent_count = models.PositiveIntegerField(_("images sent"), default=0)
    failed_count = models.PositiveIntegerField(_("images refused"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    drop_reason = models.CharField(_("why it was dropped"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An event sends a destination a study once.
            models.UniqueConstraint(
                fields=["event", "destination", "content"],
                name="transfer_once_per_event_and_destination",
                violation_error_message=_("This event sends this study to this device already."),
            ),
            # A request sent twice is one request.
            models.UniqueConstraint(
                fields=["key", "destination"],
                name="transfer_once_per_request_and_destination",
                violation_error_message=_("This was asked for already."),
            ),
            # A destination is sent one thing at a time.
            models.UniqueConstraint(
                fields=["destination"],
                condition=models.Q(status="sending"),
                name="transfer_one_at_a_time",
                violation_error_message=_("Something is being sent to this device already."),
            ),
            # A waiting transfer knows when it is tried next.
            models.CheckConstraint(
                condition=~models.Q(status="waiting") | models.Q(next_attempt_at__isnull=False),
                name="transfer_waiting_has_time",
                violation_error_message=_("A waiting transfer needs the time of its next attempt."),
            ),
            # A transfer that is being sent is leased to a worker.
            held_has_lease(
                status="sending",
                name="transfer_sending_has_lease",
                message=_("A transfer that is being sent needs a lease."),
            ),
            # Nothing is dropped without saying why.
            models.CheckConstraint(
                condition=~models.Q(status="dropped") | ~models.Q(drop_reason=""),
                name="transfer_dropped_has_reason",
                violation_error_message=_("Say why the transfer is dropped."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # The queue of a destination, and the leases that may have ended.
            models.Index(
                fields=["destination", "priority", "id"],
                condition=models.Q(status="waiting"),
                name="transfer_waiting",
            ),
            models.Index(
                fields=["lease_until"], condition=models.Q(status="sending"), name="transfer_leased"
            ),
            # The list of a status, and the count of what was given up.
            models.Index(fields=["status", "-id"], name="transfer_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_content_display()} #{self.pk}"

    @property
    def is_given_up(self) -> bool:
        return self.status in self.GIVEN_UP

    @property
    def is_held(self) -> bool:
        """It waits for somebody to switch its destination on, not for a time."""
        images = self.content == self.Content.IMAGES
        device = self.destination
        may = device.may_receive if images else device.wants_availability
        return self.status == self.Status.WAITING and not (device.active and may)

    @property
    def is_under_way(self) -> bool:
        return self.status in self.UNDER_WAY


class TransferItem(models.Model):
    """What a destination answered to one image of a transfer: where to go on after a cut."""

    policy_noun = Noun.TRANSFER

    transfer = models.ForeignKey(
        Transfer, verbose_name=_("transfer"), on_delete=models.CASCADE, related_name="items"
    )
    instance = models.ForeignKey(
        Instance, verbose_name=_("instance"), on_delete=models.CASCADE, related_name="+"
    )
    # Of the C-STORE response (PS3.4 table B.2-1).
    answer = models.PositiveIntegerField(_("status"))
    arrived = models.BooleanField(_("arrived"))

    objects = TransferItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("image of a transfer")
        verbose_name_plural = _("images of transfers")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An image is part of a transfer once.
            models.UniqueConstraint(
                fields=["transfer", "instance"],
                name="transfer_item_once",
                violation_error_message=_("This image is part of this transfer already."),
            ),
        ]

    def __str__(self) -> str:
        return f"0x{self.answer:04X}"
