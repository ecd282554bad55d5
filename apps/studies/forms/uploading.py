"""Bringing files through the browser: which they are, and whose."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import visible
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Upload

SHOWN = 10  # patients and orders that fit what was typed


class UploadForm(forms.Form):
    """What a browser says of a file that it is going to bring."""

    name = forms.CharField(max_length=4096)
    size = forms.IntegerField(min_value=1, error_messages={"min_value": _("This file is empty.")})
    batch = forms.RegexField(r"^[0-9a-f]{32}$")
    fingerprint = forms.CharField(max_length=300, required=False)
    patient = forms.ModelChoiceField(Patient.objects.none(), required=False)
    procedure = forms.ModelChoiceField(RequestedProcedure.objects.none(), required=False)
    pictures = forms.ChoiceField(choices=Upload.Pictures.choices, required=False)

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields
        chosen["patient"].queryset = visible(user, Patient)
        orders = visible(user, Order)
        chosen["procedure"].queryset = RequestedProcedure.objects.filter(order__in=orders)

    def clean_pictures(self) -> str:
        return self.cleaned_data["pictures"] or Upload.Pictures.CAPTURE

    def clean(self) -> dict[str, Any]:
        """A patient or an order, not both: an order has its patient."""
        cleaned = super().clean() or {}
        if cleaned.get("procedure"):
            cleaned["patient"] = None
        return cleaned

    @property
    def words(self) -> str:
        """What is wrong, in a line: with the field where a program went wrong, not a person."""
        found = {name: said[0] for name, said in self.errors.get_json_data().items()}
        return "; ".join(
            said["message"] if said["code"] == "min_value" else f"{name}: {said['message']}"
            for name, said in found.items()
        )


@dataclass(frozen=True)
class UploadTarget:
    """Whose the files are: a patient, or a procedure of an order of theirs."""

    patient: Patient
    procedure: RequestedProcedure | None = None


class UploadTargetForm(forms.Form):
    """Finding the patient or the order that files are to be stored for."""

    q = forms.CharField(
        label=_("Patient or order"),
        required=False,
        max_length=64,
        help_text=_("Name, patient number or accession number."),
        widget=forms.TextInput(
            attrs={"type": "search", "class": "form-control", "data-search": True}
        ),
    )
    patient = forms.ModelChoiceField(Patient.objects.none(), required=False)
    procedure = forms.ModelChoiceField(RequestedProcedure.objects.none(), required=False)

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patients: Any = visible(user, Patient)
        self._orders: Any = visible(user, Order)
        fields: Any = self.fields
        fields["patient"].queryset = self._patients.prefetch_related("identifiers")
        asked = RequestedProcedure.objects.filter(order__in=self._orders)
        fields["procedure"].queryset = asked.select_related("order__patient")

    def chosen(self) -> UploadTarget | None:
        """What the address names; None for what the user may not see."""
        data = self.cleaned_data if self.is_valid() else getattr(self, "cleaned_data", {})
        if asked := data.get("procedure"):
            return UploadTarget(asked.order.patient, asked)
        return UploadTarget(data["patient"]) if data.get("patient") else None

    def found(self) -> list[UploadTarget]:
        """Orders with this number, then patients with this name or number."""
        text = self.cleaned_data.get("q", "").strip() if self.is_valid() else ""
        if not text:
            return []
        orders = self._orders.numbered(text)
        asked = RequestedProcedure.objects.filter(order__in=orders).select_related("order__patient")
        procedures = asked.prefetch_related("order__patient__identifiers").order_by("id")[:SHOWN]
        patients = self._patients.current().matching(text).for_list()[:SHOWN]
        return [
            *(UploadTarget(one.order.patient, one) for one in procedures),
            *(UploadTarget(one) for one in patients),
        ]


def label_of(asked: RequestedProcedure) -> str:
    """Enough to tell one requested procedure from another."""
    return f"{asked.meaning} ({asked.identifier}), {asked.order.patient}"
