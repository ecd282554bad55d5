"""A day of all rooms as a table: a line per half hour, a cell per room."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import models
from django.utils import timezone

from apps.orders.models import Order
from apps.scheduling.models import Appointment, Resource
from apps.scheduling.services import open_spans

LINE = datetime.timedelta(minutes=30)
# What is shown where no room says when it opens.
FIRST, LAST = datetime.time(7), datetime.time(19)

Span = tuple[datetime.datetime, datetime.datetime]


@dataclass(kw_only=True)
class Cell:
    """Half an hour of a room."""

    open: bool
    appointments: list[Appointment] = field(default_factory=list)  # those that start in it
    continued: bool = False  # an appointment that started before goes on


@dataclass(kw_only=True)
class Row:
    starts_at: datetime.datetime
    cells: list[Cell]


def rows_of(
    day: datetime.date, *, rooms: Sequence[Resource], orders: models.QuerySet[Order]
) -> list[Row]:
    """The lines from the first opening to the last closing, rooms in the given order."""
    taken = Appointment.objects.on(day).standing().filter(order__in=orders, resource__in=rooms)
    listed = list(
        taken.select_related("order__patient").prefetch_related(
            "order__procedures", "order__patient__identifiers"
        )
    )
    spans = {room.pk: open_spans(room, day) for room in rooms}
    begin, end = _shown(day, rooms, spans, listed)
    rows = []
    while begin < end:
        cells = [_cell(room, begin, spans[room.pk], listed) for room in rooms]
        rows.append(Row(starts_at=begin, cells=cells))
        begin += LINE
    return rows


def _cell(
    room: Resource, begin: datetime.datetime, spans: list[Span], listed: list[Appointment]
) -> Cell:
    mine = [one for one in listed if one.resource_id == room.pk]
    return Cell(
        open=any(opens < begin + LINE and begin < closes for opens, closes in spans),
        appointments=[one for one in mine if begin <= one.starts_at < begin + LINE],
        continued=any(one.starts_at < begin < one.ends_at for one in mine),
    )


def _shown(
    day: datetime.date,
    rooms: Sequence[Resource],
    spans: dict[int, list[Span]],
    listed: list[Appointment],
) -> Span:
    limited = [span for room in rooms if room.opening_hours.all() for span in spans[room.pk]]
    usual = limited or [_usual_hours(day)]
    begin = min([opens for opens, _ in usual] + [one.starts_at for one in listed])
    end = max([closes for _, closes in usual] + [one.ends_at for one in listed])
    begin = begin.astimezone(datetime.UTC)
    return begin.replace(minute=begin.minute // 30 * 30, second=0, microsecond=0), end


def _usual_hours(day: datetime.date) -> Span:
    zone = timezone.get_default_timezone()
    first, last = (datetime.datetime.combine(day, clock, zone) for clock in (FIRST, LAST))
    return first.astimezone(datetime.UTC), last.astimezone(datetime.UTC)
