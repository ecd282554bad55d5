"""Ordering, giving a time, moving and calling off."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from apps.accounts.models import Role, User
from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import Origin, origin_of
from apps.orders.models import Order, Procedure
from apps.orders.services import OrderRefused, place_order
from apps.patients.models import Patient
from apps.scheduling.models import Appointment
from apps.scheduling.services import BookingRefused
from apps.worklist.forms import OrderForm, ReasonForm, SlotForm
from apps.worklist.models import ScheduledStep
from apps.worklist.services import bookings, steps
from apps.worklist.views.refusals import REFUSALS


class OrderCreate(TemplateView):
    """Order and appointment on one page; the appointment may wait."""

    template_name = "worklist/order_create.html"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        patients: Any = visible(request.user, Patient)
        rows = patients.current().prefetch_related("identifiers")
        self.patient = get_object_or_404(rows, pk=kwargs["pk"])
        self.may_book = can(request.user, Action.CREATE, Noun.APPOINTMENT)
        self.order_form = OrderForm(request.POST or None, own=_own(request))
        self.slot_form = slot_form(request)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        booked = self.may_book and "later" not in request.POST
        valid = self.order_form.is_valid()
        if booked:
            valid = self.slot_form.is_valid() and valid
        if valid and (order := self._place(booked=booked)):
            return redirect("orders:detail", order.pk)
        return self.render_to_response(self.get_context_data(), status=422)

    def _place(self, *, booked: bool) -> Order | None:
        form, origin = self.order_form, origin_of(self.request)
        try:
            if not booked:
                return place_order(
                    self.patient, requests=form.requests, details=form.details, origin=origin
                )
            return bookings.place_and_schedule(
                self.patient,
                requests=form.requests,
                details=form.details,
                visit=self.slot_form.visit,
                origin=origin,
            )
        except BookingRefused as refusal:
            self.slot_form.refuse(refusal)
        except OrderRefused as refusal:
            form.add_error(None, str(refusal))
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            patient=self.patient,
            form=self.order_form,
            slot=self.slot_form,
            may_book=self.may_book,
            chosen={procedure.pk for procedure in self.slot_form.procedures},
            **kwargs,
        )


def free_times(request: HttpRequest) -> HttpResponse:
    """The rooms that suit the chosen procedures, and the free times of one (a fragment)."""
    return render(request, "worklist/fragments/slots.html", {"slot": slot_form(request)})


class Book(TemplateView):
    """A room and a time for an order that has none."""

    template_name = "worklist/book.html"
    heading = gettext_lazy("Give a time")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.order = self.find_order(kwargs["pk"])
        procedures = [row.procedure for row in self.order.procedures.all()]
        self.form = slot_form(request, procedures=procedures)

    def find_order(self, pk: int) -> Order:
        rows = visible(self.request.user, Order).select_related("patient")
        rows = rows.prefetch_related("procedures__procedure", "patient__identifiers")
        return get_object_or_404(rows, pk=pk)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if self.form.is_valid():
            try:
                self.book(origin_of(request))
            except BookingRefused as refusal:
                self.form.refuse(refusal)
            else:
                return redirect("orders:detail", self.order.pk)
        return self.render_to_response(self.get_context_data(), status=422)

    def book(self, origin: Origin) -> None:
        bookings.schedule_visit(self.order, visit=self.form.visit, origin=origin)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            order=self.order,
            patient=self.order.patient,
            slot=self.form,
            heading=self.heading,
            **kwargs,
        )


class Move(Book):
    """Another room or time for an appointment."""

    heading = gettext_lazy("Move the appointment")

    def find_order(self, pk: int) -> Order:
        rows = visible(self.request.user, Appointment).select_related("resource")
        self.appointment = get_object_or_404(rows, pk=pk)
        return super().find_order(self.appointment.order_id)

    def book(self, origin: Origin) -> None:
        visit = self.form.visit
        bookings.reschedule(
            self.appointment, resource=visit.resource, starts_at=visit.starts_at, origin=origin
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(appointment=self.appointment, **kwargs)


def cancel_appointment(request: HttpRequest, pk: int) -> HttpResponse:
    appointment = get_object_or_404(visible(request.user, Appointment), pk=pk)
    order = appointment.order
    return _with_reason(
        request,
        order,
        heading=_("Cancel the appointment"),
        verb=lambda reason: bookings.cancel_appointment(
            appointment, reason=reason, origin=origin_of(request)
        ),
    )


def cancel_order(request: HttpRequest, pk: int) -> HttpResponse:
    order = get_object_or_404(visible(request.user, Order), pk=pk)
    return _with_reason(
        request,
        order,
        heading=_("Cancel the order"),
        verb=lambda reason: bookings.cancel_order_and_steps(
            order, reason=reason, origin=origin_of(request)
        ),
    )


def discontinue(request: HttpRequest, pk: int) -> HttpResponse:
    rows = visible(request.user, ScheduledStep).select_related("requested_procedure__order")
    step = get_object_or_404(rows, pk=pk)
    return _with_reason(
        request,
        step.requested_procedure.order,
        heading=_("Break off the exam"),
        verb=lambda reason: steps.discontinue_by_hand(
            step, reason=reason, origin=origin_of(request)
        ),
    )


def patient_orders(request: HttpRequest, pk: int) -> HttpResponse:
    """The orders of a patient (a fragment)."""
    patient = get_object_or_404(visible(request.user, Patient), pk=pk)
    rows = visible(request.user, Order).filter(patient=patient)
    orders = rows.prefetch_related("procedures", "appointments__resource")[:50]
    return render(request, "worklist/fragments/patient_orders.html", {"orders": orders})


def order_steps(request: HttpRequest, pk: int) -> HttpResponse:
    """Appointments and steps of an order (a fragment)."""
    order = get_object_or_404(visible(request.user, Order), pk=pk)
    found = ScheduledStep.objects.filter(requested_procedure__order=order)
    listed = list(found.prefetch_related("devices"))
    begun = any(step.started_at for step in listed)
    context = {
        "order": order,
        "appointments": order.appointments.select_related("resource"),
        "steps": listed,
        "may_change": not begun and can(request.user, Action.CHANGE, Noun.APPOINTMENT),
    }
    return render(request, "worklist/fragments/order_steps.html", context)


def slot_form(request: HttpRequest, *, procedures: list[Procedure] | None = None) -> SlotForm:
    """The form as sent, or with what was chosen so far; its procedures from the query."""
    sent = request.POST if request.method == "POST" else request.GET
    if procedures is None:
        numbers = [one for one in sent.getlist("procedures") if one.isdecimal()]
        procedures = list(Procedure.objects.orderable().filter(pk__in=numbers))
    if request.method == "POST":
        return SlotForm(request.POST, procedures=procedures)
    initial = {name: sent[name] for name in ("resource", "day", "starts_at") if sent.get(name)}
    return SlotForm(initial=initial, procedures=procedures)


def _own(request: HttpRequest) -> User | None:
    """The user who orders in the own name only: a referrer without another role."""
    user = request.user
    return user if isinstance(user, User) and user.roles == {Role.REFERRER} else None


def _with_reason(
    request: HttpRequest, order: Order, *, heading: str, verb: Callable[[str], object]
) -> HttpResponse:
    """Ask for a reason, then do it and show the order."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            verb(form.cleaned_data["reason"])
        except REFUSALS as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("orders:detail", order.pk)
    context = {"form": form, "order": order, "patient": order.patient, "heading": heading}
    return render(request, "worklist/reason.html", context)
