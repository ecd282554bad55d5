"""The registration form."""

import calendar
import datetime
import re
from typing import Any, cast

from django import forms
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.patients.models import Issuer, Patient
from apps.patients.services import IdentifierDetails, PatientDetails, PatientInvalid

MONTHS = [(number, calendar.month_name[number]) for number in range(1, 13)]


def _text(name: str, **options: Any) -> forms.CharField:
    """A text field with the label and length of the model's."""
    column = cast("models.CharField[str, str]", Patient._meta.get_field(name))
    field = cast("forms.CharField", column.formfield(**options))
    field.widget.attrs.setdefault("autocomplete", "off")
    return field


def _with_caret(name: str) -> str:
    """The first space of a name is where the given name begins (PS3.5 6.2.1.1)."""
    return name if "^" in name else re.sub(r"\s+", "^", name, count=1)


def _without_caret(name: str) -> str:
    """A PN as people write it, where that reads back as the same PN."""
    written = name.replace("^", " ")
    return written if _with_caret(written) == name else name


class PatientForm(forms.Form):
    """Who a patient is; of the date of birth as much as is known."""

    family_name = _text("family_name")
    given_name = _text("given_name")
    middle_name = _text("middle_name")
    name_prefix = _text("name_prefix")
    name_suffix = _text("name_suffix")
    ideographic_name = _text("ideographic_name", help_text=_("Family name, a space, given name."))
    phonetic_name = _text("phonetic_name")
    birth_year = forms.IntegerField(
        label=_("Year of birth"), min_value=1850, max_value=9999, required=False
    )
    birth_month = forms.TypedChoiceField(
        label=_("Month"),
        choices=[("", _("Unknown")), *MONTHS],
        coerce=int,
        empty_value=None,
        required=False,
    )
    birth_day = forms.IntegerField(label=_("Day"), min_value=1, max_value=31, required=False)
    sex = forms.ChoiceField(
        label=_("Sex"),
        choices=[
            (Patient.Sex.UNKNOWN.value, Patient.Sex.UNKNOWN.label),
            *(pair for pair in Patient.Sex.choices if pair[0]),
        ],
        required=False,
    )
    phone = _text("phone")
    email = _text("email")
    address = _text("address", widget=forms.Textarea(attrs={"rows": 2}))
    language = _text("language")
    medical_alerts = _text("medical_alerts")
    allergies = _text("allergies")
    special_needs = _text("special_needs")
    confidentiality = _text("confidentiality")
    pregnancy = forms.ChoiceField(
        label=_("Pregnancy"),
        choices=[("", _("Not asked")), *Patient.Pregnancy.choices],
        required=False,
    )
    weight_kg = forms.DecimalField(
        label=_("Weight in kg"),
        min_value=0,
        max_value=500,
        max_digits=4,
        decimal_places=1,
        required=False,
    )
    height_cm = forms.IntegerField(
        label=_("Height in cm"), min_value=1, max_value=280, required=False
    )

    NAME = (
        "family_name",
        "given_name",
        "middle_name",
        "name_prefix",
        "name_suffix",
        "ideographic_name",
        "phonetic_name",
    )
    OTHER_SCRIPTS = ("ideographic_name", "phonetic_name")
    CONTACT = ("phone", "email", "address", "language")
    SAFETY = ("allergies", "medical_alerts", "special_needs", "confidentiality", "pregnancy")
    MEASURES = ("weight_kg", "height_cm")

    @classmethod
    def initial_of(cls, patient: Patient) -> dict[str, Any]:
        """What the form shows of a stored patient."""
        names = [*cls.NAME, *cls.CONTACT, *cls.SAFETY, *cls.MEASURES, "sex"]
        known = [int(part) for part in patient.display_birth_date.split("-") if part]
        birth = dict(zip(("birth_year", "birth_month", "birth_day"), known, strict=False))
        written = {name: _without_caret(getattr(patient, name)) for name in cls.OTHER_SCRIPTS}
        return {name: getattr(patient, name) for name in names} | written | birth

    def clean_ideographic_name(self) -> str:
        return _with_caret(self.cleaned_data["ideographic_name"])

    def clean_phonetic_name(self) -> str:
        return _with_caret(self.cleaned_data["phonetic_name"])

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        year, month, day = (data.get(f"birth_{part}") for part in ("year", "month", "day"))
        data["birth_date"], data["birth_precision"] = None, ""
        if day and not month:
            self.add_error("birth_month", _("A day needs its month."))
        elif month and not year:
            self.add_error("birth_year", _("A month needs its year."))
        elif year:
            self._clean_birth_date(year, month, day)
        return data

    def _clean_birth_date(self, year: int, month: int | None, day: int | None) -> None:
        try:
            born = datetime.date(year, month or 1, day or 1)
        except ValueError:
            self.add_error("birth_day", _("This month has no such day."))
            return
        if born > timezone.localdate():
            self.add_error("birth_year", _("The date of birth lies in the future."))
            return
        precision = Patient.Precision.YEAR
        if month:
            precision = Patient.Precision.DAY if day else Patient.Precision.MONTH
        self.cleaned_data["birth_date"] = born
        self.cleaned_data["birth_precision"] = precision.value

    @property
    def details(self) -> PatientDetails:
        """What was entered, as far as it is valid: for the service and for comparing."""
        names = [*self.NAME, *self.CONTACT, *self.SAFETY, "sex", "birth_precision"]
        given: dict[str, Any] = {name: self.cleaned_data.get(name) or "" for name in names}
        others: dict[str, Any] = {
            name: self.cleaned_data.get(name) for name in ("birth_date", *self.MEASURES)
        }
        return PatientDetails(**others, **given)

    def refuse(self, refusal: PatientInvalid) -> None:
        """Show the refusal of the service at its fields."""
        for name, messages in refusal.fields.items():
            where = "birth_year" if name == "birth_date" else name
            self.add_error(where if where in self.fields else None, messages)


class RegistrationForm(PatientForm):
    """A new patient, with one number somebody else has given out."""

    identifier_value = forms.CharField(
        label=_("Other number"),
        max_length=64,
        required=False,
        help_text=_("Insurance, hospital or passport number."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    identifier_namespace = forms.CharField(
        label=_("Issued by"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "issuers"}),
    )
    confirmed = forms.BooleanField(
        label=_("This is somebody else: register a new patient"), required=False
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        value, namespace = data.get("identifier_value"), data.get("identifier_namespace")
        if value and not namespace:
            self.add_error("identifier_namespace", _("Say who issued this number."))
        if namespace and not value:
            self.add_error("identifier_value", _("Enter the number."))
        return data

    @property
    def identifiers(self) -> list[IdentifierDetails]:
        value = self.cleaned_data.get("identifier_value")
        namespace = self.cleaned_data.get("identifier_namespace") or ""
        return [IdentifierDetails(value=value, namespace=namespace)] if value else []

    @property
    def known_issuers(self) -> list[str]:
        """Names offered while typing."""
        rows = Issuer.objects.filter(purpose=Issuer.Purpose.PATIENT, mints=False)
        return list(rows.values_list("namespace", flat=True)[:50])
