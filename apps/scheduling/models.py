"""Rooms and machines that can be booked, when, and for whom."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.models import Order, Procedure
from apps.scheduling.querysets import AppointmentQuerySet, ResourceQuerySet

SLOT_MINUTES = 5


class Resource(models.Model):
    """Something that is booked: a room, usually with a machine in it."""

    policy_noun = Noun.CATALOGUE

    name = models.CharField(_("name"), max_length=64, unique=True)
    location = models.CharField(_("location"), max_length=64, blank=True)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    procedures = models.ManyToManyField(
        Procedure,
        verbose_name=_("procedures done here"),
        blank=True,
        help_text=_("Empty: every procedure of its modality."),
    )
    active = models.BooleanField(_("can be booked"), default=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class OpeningHours(models.Model):
    """When a room is open on a weekday; a room without any is always open."""

    policy_noun = Noun.CATALOGUE

    class Weekday(models.IntegerChoices):
        """As Python counts them: Monday is 0."""

        MONDAY = 0, _("Monday")
        TUESDAY = 1, _("Tuesday")
        WEDNESDAY = 2, _("Wednesday")
        THURSDAY = 3, _("Thursday")
        FRIDAY = 4, _("Friday")
        SATURDAY = 5, _("Saturday")
        SUNDAY = 6, _("Sunday")

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday.choices)
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ("resource", "weekday", "opens")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A room closes after it opens.
            models.CheckConstraint(
                condition=models.Q(closes__gt=models.F("opens")),
                name="opening_hours_in_order",
                violation_error_message=_("A room closes later than it opens."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}-{self.closes:%H:%M}"


class Appointment(models.Model):
    """A patient's booked time in a room. Moved: a new row, the old one points to nothing new."""

    policy_noun = Noun.APPOINTMENT

    class Status(models.TextChoices):
        BOOKED = "booked", _("Booked")
        ARRIVED = "arrived", _("Arrived")
        FULFILLED = "fulfilled", _("Fulfilled")
        CANCELLED = "cancelled", _("Cancelled")
        NOSHOW = "noshow", _("Did not come")

    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        on_delete=models.PROTECT,
        related_name="appointments",
    )
    resource = models.ForeignKey(
        Resource,
        verbose_name=_("room"),
        on_delete=models.PROTECT,
        related_name="appointments",
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.BOOKED
    )
    arrived_at = models.DateTimeField(_("arrived at"), null=True, blank=True)
    previous = models.OneToOneField(
        "self",
        verbose_name=_("moved from"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="following",
    )
    cancel_reason = models.CharField(_("reason of cancelling"), max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ("starts_at", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An appointment ends after it starts.
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="appointment_in_order",
                violation_error_message=_("An appointment ends later than it starts."),
            ),
            # A cancelled appointment says why.
            models.CheckConstraint(
                condition=~models.Q(status="cancelled") | ~models.Q(cancel_reason=""),
                name="appointment_cancelled_with_reason",
                violation_error_message=_("A cancelled appointment needs a reason."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Today's board.
            models.Index(fields=["starts_at", "resource"], name="appointment_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.order} {self.starts_at:%Y-%m-%d %H:%M}"


class BookedSlot(models.Model):
    """Five minutes of a room taken by an appointment.

    These rows make double booking impossible on every engine: PostgreSQL's exclusion
    constraints have no counterpart in SQLite, a unique key has. An appointment that is
    cancelled or moved gives its slots back.
    """

    policy_noun = Noun.APPOINTMENT

    appointment = models.ForeignKey(Appointment, on_delete=models.CASCADE, related_name="slots")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    # 0, or higher where someone with the right to do so booked on top of another.
    lane = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("starts_at", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A room is used by one patient at a time.
            models.UniqueConstraint(
                fields=["resource", "starts_at", "lane"],
                name="booked_slot_taken_once",
                violation_error_message=_("This time in this room is taken already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource} {self.starts_at:%Y-%m-%d %H:%M}"
