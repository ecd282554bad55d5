"""A day of the department as cards: who is expected, here, in a room, done."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import models
from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient
from apps.scheduling.models import Appointment, Resource
from apps.worklist.models import ScheduledStep

Status = ScheduledStep.Status
WAITING = frozenset({Status.SCHEDULED, Status.ARRIVED, Status.READY})
ENDED = frozenset({Status.COMPLETED, Status.DISCONTINUED})


class Column(models.TextChoices):
    EXPECTED = "expected", _("Expected")
    ARRIVED = "arrived", _("Arrived")
    IN_ROOM = "in-room", _("In room")
    DONE = "done", _("Done")


@dataclass(kw_only=True)
class Card:
    """One visit: an appointment with its steps, or steps that have no room yet."""

    order: Order
    appointment: Appointment | None
    steps: list[ScheduledStep] = field(default_factory=list)

    @property
    def patient(self) -> Patient:
        return self.order.patient

    @property
    def starts_at(self) -> datetime.datetime | None:
        if self.appointment:
            return self.appointment.starts_at
        return min((step.starts_at for step in self.steps if step.starts_at), default=None)

    @property
    def exam(self) -> str:
        return ", ".join(step.description for step in self.steps) or _of(self.order)

    @property
    def started(self) -> ScheduledStep | None:
        """The step in progress."""
        return next((step for step in self.steps if step.status == Status.STARTED), None)

    @property
    def waiting(self) -> ScheduledStep | None:
        """The next step to be started."""
        return next((step for step in self.steps if step.status in WAITING), None)

    @property
    def column(self) -> Column:
        if self.started:
            return Column.IN_ROOM
        if self.waiting is None and any(step.status in ENDED for step in self.steps):
            return Column.DONE
        return Column.ARRIVED if self._here else Column.EXPECTED

    @property
    def wait_minutes(self) -> int | None:
        """How long somebody who arrived has been waiting; None once called in."""
        if self.column != Column.ARRIVED or not self.appointment:
            return None
        since = self.appointment.arrived_at or timezone.now()
        return max(int((timezone.now() - since).total_seconds() // 60), 0)

    @property
    def _here(self) -> bool:
        if self.appointment:
            return self.appointment.status != Appointment.Status.BOOKED
        return any(step.status != Status.SCHEDULED for step in self.steps)


def cards_of(
    day: datetime.date, *, room: Resource | None, orders: models.QuerySet[Order]
) -> list[Card]:
    """The cards of a day in order of time, for one room or all, among visible orders."""
    cards = [*_with_room(day, room, orders), *([] if room else _without_room(day, orders))]
    latest = timezone.now() + datetime.timedelta(days=36500)
    return sorted(cards, key=lambda card: (card.starts_at or latest, card.order.pk))


def by_column(cards: Iterable[Card]) -> list[tuple[Column, list[Card]]]:
    """The four columns, each with its cards."""
    sorted_in: dict[Column, list[Card]] = {column: [] for column in Column}
    for card in cards:
        sorted_in[card.column].append(card)
    return list(sorted_in.items())


def steps_in_room(room: Resource, day: datetime.date) -> list[ScheduledStep]:
    """What is to be done in a room on a day, and what runs there since another day."""
    begins, ends = _bounds(day)
    today = models.Q(starts_at__gte=begins, starts_at__lt=ends)
    here = models.Q(appointment__resource=room) | models.Q(appointment=None, devices__resource=room)
    rows = ScheduledStep.objects.filter(here, today | models.Q(status=Status.STARTED))
    rows = rows.exclude(status=Status.CANCELED).select_related(
        "appointment", "requested_procedure__order__patient"
    )
    return list(
        rows.prefetch_related("requested_procedure__order__patient__identifiers")
        .distinct()
        .order_by("starts_at", "id")
    )


def _with_room(
    day: datetime.date, room: Resource | None, orders: models.QuerySet[Order]
) -> list[Card]:
    appointments = Appointment.objects.on(day).standing().filter(order__in=orders)
    if room:
        appointments = appointments.filter(resource=room)
    rows = appointments.select_related("resource", "order__patient").prefetch_related(
        "order__patient__identifiers",
        Prefetch("steps", ScheduledStep.objects.exclude(status=Status.CANCELED)),
        Prefetch("order__procedures", RequestedProcedure.objects.all()),
    )
    return [Card(order=row.order, appointment=row, steps=list(row.steps.all())) for row in rows]


def _without_room(day: datetime.date, orders: models.QuerySet[Order]) -> list[Card]:
    begins, ends = _bounds(day)
    steps = (
        ScheduledStep.objects.filter(
            appointment=None,
            starts_at__gte=begins,
            starts_at__lt=ends,
            requested_procedure__order__in=orders,
        )
        .exclude(status=Status.CANCELED)
        .select_related("requested_procedure__order__patient")
        .prefetch_related("requested_procedure__order__patient__identifiers")
    )
    cards: dict[int, Card] = {}
    for step in steps:
        order = step.requested_procedure.order
        card = cards.setdefault(order.pk, Card(order=order, appointment=None))
        card.steps.append(step)
    return list(cards.values())


def _bounds(day: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
    zone = timezone.get_default_timezone()
    begins = datetime.datetime.combine(day, datetime.time(), zone)
    ends = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), zone)
    return begins, ends


def _of(order: Order) -> str:
    return ", ".join(row.meaning for row in order.procedures.all())
