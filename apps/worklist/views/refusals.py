"""What the rooms below refuse, told to the person who asked."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from apps.orders.services import OrderRefused
from apps.scheduling.services import BookingRefused
from apps.worklist.services.steps import StepStateRefused, StepWithoutModality

REFUSALS = (BookingRefused, OrderRefused, StepStateRefused, StepWithoutModality)


def act(request: HttpRequest, verb: Callable[[], object]) -> HttpResponse:
    """Do it and go back to the page it was asked from; a refusal is shown there."""
    try:
        verb()
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
    return go_back(request)


def go_back(request: HttpRequest) -> HttpResponse:
    """To the path in `next`, as long as it is one of ours, else to the board."""
    path = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(path, allowed_hosts=None):
        path = reverse("worklist:board")
    return HttpResponseRedirect(path)
