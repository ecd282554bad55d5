"""Devices, and studies on their way to them."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import Action, visible
from apps.api import examples
from apps.api.operations import operation
from apps.api.pages import newest_first, page_of
from apps.api.requests import read
from apps.api.shapes.studies import Sending, TransferQuery, TransferShape
from apps.api.shapes.worklist import DeviceQuery, DeviceShape, EchoShape
from apps.api.views.door import Door
from apps.api.views.studies import find_study
from apps.dimse.services import echo
from apps.routing.models import Transfer
from apps.routing.services import ask_to_send, send_again
from apps.studies.models import Series, Study
from apps.worklist.models import Device


class Devices(Door):
    @operation(
        "list_devices",
        tag="devices",
        summary="List devices",
        scope=Scope.API_READ,
        right="view devices",
        query=DeviceQuery,
        answer=page_of(DeviceShape),
        example=examples.page(examples.DEVICE),
    )
    def get(self, request: Request) -> Response:
        asked = read(DeviceQuery, request.query_params)
        rows = visible(self.user, Device).select_related("resource")
        if asked["active"] is not None:
            rows = rows.filter(active=asked["active"])
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": DeviceShape(found, many=True).data, "next": following})


class Echo(Door):
    @operation(
        "echo_device",
        tag="devices",
        summary="Ask a device whether it is there (C-ECHO)",
        words="That it did not answer is an answer too: `success` is false then.",
        scope=Scope.API_WRITE,
        right="change devices",
        answer=EchoShape,
        example={"success": True, "message": "The device answered.", "milliseconds": 12},
        errors=(404,),
    )
    def post(self, request: Request, device: str) -> Response:
        row = get_object_or_404(visible(self.user, Device), ae_title=device)
        self.require(Action.CHANGE, row)
        return Response(EchoShape(echo(row, origin=self.origin)).data)


class StudySending(Door):
    @operation(
        "send_study",
        tag="transfers",
        summary="Send a study, or some of its series, to a device",
        scope=Scope.API_WRITE,
        right="export studies",
        body=Sending,
        status=202,
        answer=TransferShape(many=True),
        asked={"device": "WORKSTATION"},
        example=[examples.TRANSFER],
        errors=(404, 409),
    )
    def post(self, request: Request, study: str) -> Response:
        row = find_study(self, study)
        self.require(Action.EXPORT, row)
        asked = read(Sending, request.data)
        device = Device.objects.filter(ae_title=asked["device"]).first()
        if device is None:
            raise ValidationError({"device": ["There is no such device here."]})
        queued = ask_to_send(
            row,
            destinations=[device],
            series=_series(row, asked["series"]),
            key=asked["key"],
            origin=self.origin,
        )
        return Response(TransferShape(queued, many=True).data, status=202)


class Transfers(Door):
    @operation(
        "list_transfers",
        tag="transfers",
        summary="List transfers, the newest first",
        scope=Scope.API_READ,
        right="view transfers",
        query=TransferQuery,
        answer=page_of(TransferShape),
        example=examples.page(examples.TRANSFER),
    )
    def get(self, request: Request) -> Response:
        asked = read(TransferQuery, request.query_params)
        narrowed = {
            column: asked[name]
            for name, column in (
                ("status", "status"),
                ("study", "study__study_instance_uid"),
                ("device", "destination__ae_title"),
            )
            if name in asked
        }
        rows = _transfers(self).filter(**narrowed)
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": TransferShape(found, many=True).data, "next": following})


class OneTransfer(Door):
    @operation(
        "read_transfer",
        tag="transfers",
        summary="Read one transfer",
        scope=Scope.API_READ,
        right="view transfers",
        answer=TransferShape,
        example=examples.TRANSFER,
        errors=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(TransferShape(get_object_or_404(_transfers(self), pk=pk)).data)


class Retry(Door):
    @operation(
        "retry_transfer",
        tag="transfers",
        summary="Send again what did not arrive",
        scope=Scope.API_WRITE,
        right="change transfers",
        status=202,
        answer=TransferShape,
        example=examples.TRANSFER,
        errors=(404, 409),
    )
    def post(self, request: Request, pk: int) -> Response:
        row = get_object_or_404(_transfers(self), pk=pk)
        self.require(Action.CHANGE, row)
        queued = send_again(row, origin=self.origin)
        return Response(TransferShape(queued).data, status=202)


def _transfers(door: Door) -> Any:
    return visible(door.user, Transfer).select_related("study", "destination")


def _series(study: Study, uids: list[str]) -> list[Series]:
    found = list(study.series.filter(series_instance_uid__in=uids))
    if len(found) < len(set(uids)):
        raise ValidationError({"series": ["One of these does not belong to the study."]})
    return found
