"""Finding a study, and saying which order it belongs to."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import visible
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import CoercionRule, Study, Upload
from apps.studies.services import correctable

SHOWN = 10  # patients and orders that fit what was typed


class StudySearchForm(forms.Form):
    """What narrows the list of studies; every field may stay empty."""

    q = forms.CharField(
        label=_("Name, number, accession number or UID"),
        required=False,
        max_length=128,
        widget=forms.TextInput(
            attrs={"type": "search", "class": "form-control", "data-search": True}
        ),
    )
    modality = forms.CharField(
        label=_("Modality"),
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"class": "form-control", "size": 4}),
    )
    since = forms.DateField(
        label=_("From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}),
    )
    until = forms.DateField(
        label=_("To"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}),
    )
    match = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[("", _("All")), ("open", _("Without an order")), *Study.Match.choices],
        widget=forms.Select(attrs={"class": "form-select"}),
    )

    @property
    def wanted(self) -> dict[str, Any]:
        """What was asked for; fields that make no sense are left out."""
        return self.cleaned_data if self.is_valid() else getattr(self, "cleaned_data", {})


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
        """What is wrong, in a line."""
        found = self.errors.get_json_data()
        return "; ".join(f"{name}: {said[0]['message']}" for name, said in found.items())


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


class CoercionRuleForm(forms.ModelForm[CoercionRule]):
    """A rule for the objects of a device."""

    class Meta:
        model = CoercionRule
        fields = "__all__"  # noqa: DJ007 - a rule is nothing but what is typed here

    def clean_attribute(self) -> str:
        """An attribute that exists and may be corrected."""
        attribute = str(self.cleaned_data["attribute"]).strip()
        rule = CoercionRule(attribute=attribute)
        if not rule.path:
            raise forms.ValidationError(_("There is no attribute of this keyword or tag."))
        if not correctable(rule.path, rule.vr):
            raise forms.ValidationError(_("This attribute cannot be corrected."))
        return attribute

    def clean_table(self) -> dict[str, str]:
        """Texts by texts."""
        table = self.cleaned_data["table"] or {}
        if not isinstance(table, dict) or not all(isinstance(one, str) for one in table.values()):
            raise forms.ValidationError(_("Write what is replaced by what, each in quotes."))
        return table
