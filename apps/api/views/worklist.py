"""Appointments and steps of a day."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import visible
from apps.api import examples
from apps.api.operations import operation
from apps.api.pages import newest_first, page_of
from apps.api.requests import read
from apps.api.shapes.worklist import AppointmentQuery, AppointmentShape, StepQuery, StepShape
from apps.api.views.door import Door
from apps.scheduling.models import Appointment
from apps.worklist.models import ScheduledStep


class Appointments(Door):
    @operation(
        "list_appointments",
        tag="worklist",
        summary="List the appointments of a day",
        scope=Scope.API_READ,
        right="view appointments",
        query=AppointmentQuery,
        answer=page_of(AppointmentShape),
        example=examples.page(examples.APPOINTMENT),
    )
    def get(self, request: Request) -> Response:
        asked = read(AppointmentQuery, request.query_params)
        rows: Any = visible(self.user, Appointment)
        rows = rows.on(asked.get("day") or timezone.localdate())
        if "room" in asked:
            rows = rows.filter(resource__name=asked["room"])
        rows = rows.select_related("order", "resource")
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": AppointmentShape(found, many=True).data, "next": following})


class Steps(Door):
    @operation(
        "list_steps",
        tag="worklist",
        summary="List the scheduled steps of a day",
        scope=Scope.WORKLIST,
        right="view procedure steps",
        query=StepQuery,
        answer=page_of(StepShape),
        example=examples.page(examples.STEP),
    )
    def get(self, request: Request) -> Response:
        asked = read(StepQuery, request.query_params)
        rows: Any = visible(self.user, ScheduledStep)
        rows = rows.on(asked.get("day") or timezone.localdate()).with_identity()
        if "modality" in asked:
            rows = rows.filter(modality=asked["modality"].upper())
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": StepShape(found, many=True).data, "next": following})
