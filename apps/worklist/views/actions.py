"""One button each: arrive, did not come, start, complete, break off."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.scheduling.models import Appointment
from apps.worklist.models import ScheduledStep
from apps.worklist.services import bookings, steps
from apps.worklist.views.refusals import act


@require_POST
def arrive(request: HttpRequest, pk: int) -> HttpResponse:
    appointment = get_object_or_404(visible(request.user, Appointment), pk=pk)
    return act(request, lambda: bookings.arrive(appointment, origin=origin_of(request)))


@require_POST
def miss(request: HttpRequest, pk: int) -> HttpResponse:
    appointment = get_object_or_404(visible(request.user, Appointment), pk=pk)
    return act(request, lambda: bookings.miss_appointment(appointment, origin=origin_of(request)))


@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    step = get_object_or_404(visible(request.user, ScheduledStep), pk=pk)
    return act(request, lambda: steps.start_by_hand(step, origin=origin_of(request)))


@require_POST
def complete(request: HttpRequest, pk: int) -> HttpResponse:
    step = get_object_or_404(visible(request.user, ScheduledStep), pk=pk)
    return act(request, lambda: steps.complete_by_hand(step, origin=origin_of(request)))
