"""Why is my patient not on the worklist?"""

from typing import Any

from django.views.generic import TemplateView

from apps.accounts.policy import visible
from apps.orders.models import Order
from apps.worklist.forms import WhyForm
from apps.worklist.models import Device, ScheduledStep, WorklistQuery
from apps.worklist.services.explaining import asked_of, explain, misses_of

MOST_STEPS, MOST_QUERIES = 20, 25


class Why(TemplateView):
    """Steps of a number held against what a device asked last; and what devices asked."""

    template_name = "worklist/why.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = WhyForm(self.request.GET or None)
        device: Device | None = form.cleaned_data.get("device") if form.is_valid() else None
        queries = WorklistQuery.objects.select_related("device")
        chosen = queries.filter(device=device) if device else queries
        return super().get_context_data(
            form=form,
            device=device,
            queries=[_shown(query) for query in chosen[:MOST_QUERIES]],
            **(self._explained(form, device) if device else {}),
            **kwargs,
        )

    def _explained(self, form: WhyForm, device: Device) -> dict[str, Any]:
        chosen: WorklistQuery | None = form.cleaned_data["query"]
        if chosen is None or chosen.device_id != device.pk:
            chosen = WorklistQuery.objects.last_of(device)
        orders = visible(self.request.user, Order)
        steps = ScheduledStep.objects.numbered(form.cleaned_data["number"])
        found = list(steps.filter(requested_procedure__order__in=orders)[:MOST_STEPS])
        return {"asked": chosen, "explanations": explain(found, device, query=chosen)}


def _shown(query: WorklistQuery) -> dict[str, Any]:
    return {"row": query, "asked": asked_of(query), "misses": misses_of(query)}
