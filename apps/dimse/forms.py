"""What is asked of another archive, and what is fetched from it."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.dicom.uids import valid_uid
from apps.dimse.services import Wanted


def _text(label: Any, longest: int, **attributes: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "form-control", **attributes})
    return forms.CharField(label=label, required=False, max_length=longest, widget=widget)


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date", "class": "form-control"})
    return forms.DateField(label=label, required=False, widget=widget)


class RemoteSearchForm(forms.Form):
    """What narrows the question; an archive is not asked for everything it has."""

    patient_name = _text(_("Patient name"), 64)
    patient_identifier = _text(_("Patient ID"), 64, size=12)
    accession_number = _text(_("Accession number"), 16, size=12)
    modality = _text(_("Modality"), 16, size=4)
    since = _day(_("From"))
    until = _day(_("To"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(cleaned.values()):
            raise ValidationError(_("Say at least one thing about the study."))
        if any("\\" in str(value) for value in cleaned.values()):
            raise ValidationError(_("A backslash cannot be searched for."))
        return cleaned

    @property
    def wanted(self) -> Wanted:
        return Wanted(**self.cleaned_data)


class RetrieveForm(forms.Form):
    """A study, or one series of it, by UID."""

    study = forms.CharField(max_length=64)
    series = forms.CharField(max_length=64, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not all(valid_uid(uid) for uid in cleaned.values() if uid):
            raise ValidationError(_("This is no UID."))
        return cleaned
