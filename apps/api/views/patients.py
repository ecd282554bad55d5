"""Patients and orders."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import Action, Noun, visible
from apps.api import examples
from apps.api.operations import operation
from apps.api.pages import newest_first, page_of
from apps.api.requests import Page, read
from apps.api.shapes.patients import (
    CatalogueShape,
    NewOrder,
    OrderQuery,
    OrderShape,
    PatientSearch,
    PatientShape,
    ProcedurePage,
    Reason,
)
from apps.api.views.door import Door
from apps.orders.models import Order, Procedure, Referrer
from apps.orders.services import OrderDetails, place_order
from apps.orders.services import Request as Wanted
from apps.patients.models import Patient
from apps.patients.services import note_viewing
from apps.worklist.services.bookings import cancel_order_and_steps

_DETAILS = ("priority", "reason", "clinical_information", "placer_number", "placer_namespace")


class Patients(Door):
    @operation(
        "list_patients",
        tag="patients",
        summary="List patients, the newest first",
        scope=Scope.API_READ,
        right="view patients",
        query=Page,
        answer=page_of(PatientShape),
        example=examples.page(examples.PATIENT),
    )
    def get(self, request: Request) -> Response:
        asked = read(Page, request.query_params)
        return Response(_patients(_visible(self), asked))


class PatientSearching(Door):
    @operation(
        "find_patients",
        tag="patients",
        summary="Find patients by name or number",
        words="A POST, so that no name stands in an address.",
        scope=Scope.API_READ,
        right="view patients",
        body=PatientSearch,
        answer=page_of(PatientShape),
        asked={"q": "DOE JANE"},
        example=examples.page(examples.PATIENT),
    )
    def post(self, request: Request) -> Response:
        asked = read(PatientSearch, request.data)
        return Response(_patients(_visible(self).matching(asked["q"]), asked))


class OnePatient(Door):
    @operation(
        "read_patient",
        tag="patients",
        summary="Read one patient",
        words="The journal notes that it was read.",
        scope=Scope.API_READ,
        right="view patients",
        answer=PatientShape,
        example=examples.PATIENT,
        errors=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        patient = get_object_or_404(_visible(self).for_list(), pk=pk)
        note_viewing(patient, origin=self.origin)
        return Response(PatientShape(patient).data)


class Procedures(Door):
    @operation(
        "list_procedures",
        tag="orders",
        summary="List the procedures that can be ordered",
        scope=Scope.API_READ,
        right="view the procedure catalogue",
        query=ProcedurePage,
        answer=page_of(CatalogueShape),
        example=examples.page(examples.CATALOGUE),
    )
    def get(self, request: Request) -> Response:
        asked = read(ProcedurePage, request.query_params)
        rows: Any = visible(self.user, Procedure)
        rows = rows.orderable()
        if "modality" in asked:
            rows = rows.filter(modality=asked["modality"].upper())
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": CatalogueShape(found, many=True).data, "next": following})


class Orders(Door):
    @operation(
        "find_orders",
        tag="orders",
        summary="Find orders, the newest first",
        scope=Scope.API_READ,
        right="view orders",
        query=OrderQuery,
        answer=page_of(OrderShape),
        example=examples.page(examples.ORDER),
    )
    def get(self, request: Request) -> Response:
        asked = read(OrderQuery, request.query_params)
        rows: Any = visible(self.user, Order)
        if "number" in asked:
            rows = rows.numbered(asked["number"])
        if "patient" in asked:
            rows = rows.filter(patient=asked["patient"])
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        rows = _with_everything(rows)
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": OrderShape(found, many=True).data, "next": following})

    @operation(
        "place_order",
        tag="orders",
        summary="Place an order",
        scope=Scope.API_WRITE,
        right="create orders",
        body=NewOrder,
        status=201,
        answer=OrderShape,
        asked=examples.NEW_ORDER,
        example=examples.ORDER,
        errors=(409, 422),
    )
    def post(self, request: Request) -> Response:
        self.require(Action.CREATE, Noun.ORDER)
        order = self._place(read(NewOrder, request.data))
        placed = _with_everything(Order.objects.filter(pk=order.pk)).get()
        return Response(OrderShape(placed).data, status=201)

    def _place(self, asked: dict[str, Any]) -> Order:
        patient = _visible(self).current().filter(pk=asked["patient"]).first()
        if patient is None:
            raise ValidationError({"patient": ["There is no such patient here."]})
        own = Referrer.objects.filter(user=self.user).first()
        details = OrderDetails(
            referrer=asked["referrer"] or own, **{name: asked[name] for name in _DETAILS}
        )
        with transaction.atomic():
            wanted = _wanted(asked["procedures"])
            order = place_order(patient, requests=wanted, details=details, origin=self.origin)
            if not visible(self.user, Order).filter(pk=order.pk).exists():
                raise PermissionDenied  # in the name of somebody else
        return order


class OneOrder(Door):
    @operation(
        "read_order",
        tag="orders",
        summary="Read one order",
        scope=Scope.API_READ,
        right="view orders",
        answer=OrderShape,
        example=examples.ORDER,
        errors=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(OrderShape(_order(self, pk)).data)


class OrderCancelling(Door):
    @operation(
        "cancel_order",
        tag="orders",
        summary="Cancel an order with its appointments and steps",
        scope=Scope.API_WRITE,
        right="change appointments",
        body=Reason,
        answer=OrderShape,
        asked={"reason": "ordered twice"},
        example={**examples.ORDER, "status": "cancelled", "cancel_reason": "ordered twice"},
        errors=(404, 409, 422),
    )
    def post(self, request: Request, pk: int) -> Response:
        order = _order(self, pk)
        self.require(Action.CHANGE, Noun.APPOINTMENT)
        reason = read(Reason, request.data)["reason"]
        cancel_order_and_steps(order, reason=reason, origin=self.origin)
        return Response(OrderShape(_order(self, pk)).data)


def _visible(door: Door) -> Any:
    return visible(door.user, Patient)


def _patients(rows: Any, asked: dict[str, Any]) -> dict[str, Any]:
    rows = rows.prefetch_related("identifiers__issuer")
    found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
    return {"results": PatientShape(found, many=True).data, "next": following}


def _with_everything(rows: Any) -> Any:
    return rows.select_related("referrer").prefetch_related("procedures__procedure")


def _order(door: Door, pk: int) -> Order:
    order: Order = get_object_or_404(_with_everything(visible(door.user, Order)), pk=pk)
    return order


def _wanted(asked: list[dict[str, str]]) -> list[Wanted]:
    """Lines of the catalogue by their codes; raises ValidationError."""
    codes = {one["code"] for one in asked}
    rows = Procedure.objects.orderable().filter(code__in=codes)
    known = {(row.code, row.scheme): row for row in rows}
    errors = [
        {} if (one["code"], one["scheme"]) in known else {"code": ["This cannot be ordered."]}
        for one in asked
    ]
    if any(errors):
        raise ValidationError({"procedures": errors})
    return [
        Wanted(procedure=known[one["code"], one["scheme"]], laterality=one["laterality"])
        for one in asked
    ]
