"""The day of the department, of a room, and the calendar of all rooms."""

import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.generic import TemplateView

from apps.accounts.policy import Action, Noun, can, visible
from apps.orders.models import Order
from apps.scheduling.models import Resource
from apps.worklist.board import by_column, cards_of, steps_in_room
from apps.worklist.calendar import rows_of
from apps.worklist.forms import EARLIEST, LATEST


class DayView(TemplateView):
    """A page about one day; htmx gets only its `fragment`, to put into the page again."""

    fragment = ""

    def get_template_names(self) -> list[str]:
        wanted = self.request.headers.get("HX-Request")
        return [self.fragment] if wanted else super().get_template_names()

    @property
    def day(self) -> datetime.date:
        today = timezone.localdate()
        try:
            day = parse_date(self.request.GET.get("day", "")) or today
        except ValueError:
            return today
        # The calendar ends at both ends; no department is there.
        return day if EARLIEST <= day <= LATEST else today

    @property
    def room(self) -> Resource | None:
        number = self.request.GET.get("room", "")
        return Resource.objects.filter(pk=number).first() if number.isdecimal() else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        one = datetime.timedelta(days=1)
        user = self.request.user
        return super().get_context_data(
            day=self.day,
            today=timezone.localdate(),
            day_before=self.day - one,
            day_after=self.day + one,
            here=self.request.get_full_path(),
            is_fragment=bool(self.request.headers.get("HX-Request")),
            may_arrive=can(user, Action.CHANGE, Noun.APPOINTMENT),
            may_step=can(user, Action.CHANGE, Noun.STEP),
            may_book=can(user, Action.CREATE, Noun.APPOINTMENT),
            **kwargs,
        )


class Board(DayView):
    """Expected, arrived, in room, done."""

    template_name = "worklist/board.html"
    fragment = "worklist/fragments/board.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        cards = cards_of(self.day, room=self.room, orders=visible(self.request.user, Order))
        return super().get_context_data(
            columns=by_column(cards),
            room=self.room,
            rooms=Resource.objects.bookable(),
            may_register=can(self.request.user, Action.CREATE, Noun.PATIENT),
            **kwargs,
        )


class Room(DayView):
    """What a technologist does in one room today."""

    template_name = "worklist/room.html"
    fragment = "worklist/fragments/room.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.resource = get_object_or_404(Resource, pk=kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            resource=self.resource,
            rooms=Resource.objects.bookable(),
            steps=steps_in_room(self.resource, self.day),
            may_see_studies=can(self.request.user, Action.VIEW, Noun.STUDY),
            **kwargs,
        )


class DayCalendar(DayView):
    """All rooms of a day, half hour by half hour."""

    template_name = "worklist/calendar.html"
    fragment = "worklist/fragments/calendar.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rooms = list(Resource.objects.bookable().prefetch_related("opening_hours"))
        rows = rows_of(self.day, rooms=rooms, orders=visible(self.request.user, Order))
        return super().get_context_data(rooms=rooms, rows=rows, **kwargs)
