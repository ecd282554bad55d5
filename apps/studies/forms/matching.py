"""Saying which order a study belongs to."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import visible
from apps.orders.models import Order, RequestedProcedure


class MatchForm(forms.Form):
    """The order a study belongs to, by its accession number, and why."""

    accession_number = forms.CharField(
        label=_("Accession number of the order"),
        max_length=16,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )
    procedure = forms.ModelChoiceField(
        label=_("Procedure"),
        queryset=RequestedProcedure.objects.none(),
        required=False,
        widget=forms.HiddenInput(),
    )
    reason = forms.CharField(
        label=_("Why it belongs to this order"),
        max_length=150,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        number = str(self.data.get("accession_number", "")).strip()
        if number:
            orders = visible(user, Order).filter(accession_number__iexact=number)
            asked = RequestedProcedure.objects.filter(order__in=orders)
            self._procedures.queryset = asked.select_related("order__patient").order_by("id")
            self._procedures.label_from_instance = label_of

    @property
    def _procedures(self) -> Any:
        return self.fields["procedure"]

    def clean(self) -> dict[str, Any]:
        """Choose the only procedure of the order; ask where there are several."""
        cleaned = super().clean() or {}
        found = list(self._procedures.queryset or [])
        if not found and cleaned.get("accession_number"):
            self.add_error("accession_number", _("No order has this accession number."))
        elif len(found) == 1:
            cleaned["procedure"] = found[0]
        elif found and not cleaned.get("procedure"):
            self._procedures.widget = forms.Select(attrs={"class": "form-select"})
            self._procedures.widget.choices = self._procedures.choices
            self.add_error("procedure", _("Several procedures have this number. Choose one."))
        return cleaned


def label_of(asked: RequestedProcedure) -> str:
    """Enough to tell one requested procedure from another."""
    return f"{asked.meaning} ({asked.identifier}), {asked.order.patient}"
