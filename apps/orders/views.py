"""The list of orders and the page of one order."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.generic import DetailView, ListView

from apps.accounts.policy import Action, Noun, can, visible
from apps.orders.course import course_of
from apps.orders.models import Order
from apps.orders.querysets import OrderQuerySet
from apps.orders.services import CANCELLABLE

Status = Order.Status
Choice = tuple[Any, Callable[[OrderQuerySet], OrderQuerySet]]
FILTERS: dict[str, Choice] = {
    "open": (_("Open"), lambda rows: rows.open()),
    "unscheduled": (_("To be scheduled"), lambda rows: rows.filter(status=Status.REQUESTED)),
    "scheduled": (_("Scheduled"), lambda rows: rows.filter(status=Status.SCHEDULED)),
    "running": (_("In progress"), lambda rows: rows.filter(status=Status.IN_PROGRESS)),
    "unreported": (_("To be reported"), lambda rows: rows.filter(status=Status.PERFORMED)),
    "today": (_("Ordered today"), lambda rows: rows.requested_today()),
    "all": (_("All"), lambda rows: rows),
}


class OrderList(ListView[Order]):
    template_name = "orders/order_list.html"
    context_object_name = "orders"
    paginate_by = 50

    @property
    def chosen(self) -> str:
        asked = self.request.GET.get("show", "open")
        return asked if asked in FILTERS else "open"

    def get_queryset(self) -> QuerySet[Order]:
        rows: Any = visible(self.request.user, Order)
        number = self.request.GET.get("number", "").strip()
        found = rows.numbered(number) if number else FILTERS[self.chosen][1](rows)
        listed: QuerySet[Order] = found.for_list()
        return listed

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            filters=[(key, label) for key, (label, _narrow) in FILTERS.items()],
            chosen=self.chosen,
            number=self.request.GET.get("number", "").strip(),
            **kwargs,
        )


class OrderDetail(DetailView[Order]):
    """One order; what hangs on it comes as fragments from the rooms above."""

    template_name = "orders/order_detail.html"
    context_object_name = "order"

    def get_queryset(self) -> QuerySet[Order]:
        rows = visible(self.request.user, Order).select_related("patient", "referrer", "issuer")
        return rows.prefetch_related("procedures__procedure", "patient__identifiers")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user, order = self.request.user, self.object
        return super().get_context_data(
            happenings=course_of(order),
            may_cancel=order.status in CANCELLABLE and can(user, Action.CHANGE, Noun.APPOINTMENT),
            may_book=order.status == Status.REQUESTED
            and can(user, Action.CREATE, Noun.APPOINTMENT),
            may_see_steps=can(user, Action.VIEW, Noun.APPOINTMENT),
            may_see_studies=can(user, Action.VIEW, Noun.STUDY),
            may_see_report=can(user, Action.VIEW, Noun.REPORT),
            **kwargs,
        )


def journal(request: HttpRequest, pk: int) -> HttpResponse:
    """What happened to an order so far (a fragment)."""
    order = get_object_or_404(visible(request.user, Order), pk=pk)
    context = {"order": order, "happenings": course_of(order)}
    return render(request, "orders/fragments/journal.html", context)
