"""Sending a study somewhere, and choosing among transfers."""

import datetime
import uuid
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.routing.models import Transfer
from apps.routing.querysets import TransferQuerySet
from apps.studies.models import Series, Study
from apps.worklist.models import Device

SELECT = {"class": "form-select"}
AGES = {"hour": datetime.timedelta(hours=1), "day": datetime.timedelta(days=1)}


def destinations() -> QuerySet[Device]:
    """Devices that a person may send images to."""
    return Device.objects.filter(may_receive=True, active=True).order_by("name")


class DestinationForm(forms.Form):
    """A device to which something is sent."""

    destination = forms.ModelChoiceField(
        label=_("To"),
        queryset=Device.objects.none(),
        empty_label=_("Choose a device"),
        widget=forms.Select(attrs=SELECT),
        error_messages={"invalid_choice": _("This device may not be sent images.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["destination"].queryset = destinations()


class SendSeveralForm(DestinationForm):
    """Where several studies go."""

    # The same form sent twice is one request.
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def key_for(self, study: Study) -> uuid.UUID:
        """A request of its own for every study."""
        return uuid.uuid5(self.cleaned_data["key"], str(study.pk))


class SendForm(DestinationForm):
    """Where a study goes, and which of its series; none chosen: all."""

    prefix = "send"

    series = forms.ModelMultipleChoiceField(
        label=_("Only these series"),
        queryset=Series.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": _("One of these series does not belong to the study."),
            "invalid_pk_value": _("One of these series does not belong to the study."),
        },
    )
    # The same form sent twice is one request.
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, study: Study, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["series"].queryset = study.series.all()
        fields["series"].label_from_instance = series_label


class TransferFilterForm(forms.Form):
    """What narrows the list of transfers; every field may stay empty."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            ("", _("All")),
            ("given-up", _("Given up")),
            ("under-way", _("Under way")),
            *Transfer.Status.choices,
        ],
        widget=forms.Select(attrs=SELECT),
    )
    destination = forms.ModelChoiceField(
        label=_("To"),
        queryset=Device.objects.order_by("name"),
        required=False,
        empty_label=_("All"),
        widget=forms.Select(attrs=SELECT),
    )
    age = forms.ChoiceField(
        label=_("Older than"),
        required=False,
        choices=[("", _("Any age")), ("hour", _("An hour")), ("day", _("A day"))],
        widget=forms.Select(attrs=SELECT),
    )

    def narrowed(self, rows: TransferQuerySet) -> TransferQuerySet:
        """The rows asked for; a choice that makes no sense does not narrow."""
        self.is_valid()
        wanted = self.cleaned_data
        if wanted.get("destination"):
            rows = rows.filter(destination=wanted["destination"])
        if age := AGES.get(wanted.get("age", "")):
            rows = rows.older_than(age)
        status = wanted.get("status")
        if status == "given-up":
            return rows.given_up()
        if status == "under-way":
            return rows.under_way()
        return rows.filter(status=status) if status else rows


class OtherDestinationForm(DestinationForm):
    """Another device for a transfer that has not arrived."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["destination"].label = _("Send it to")


class DropForm(forms.Form):
    """Why a transfer is not to arrive."""

    reason = forms.CharField(
        label=_("Why it is dropped"),
        max_length=200,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )


class TryForm(forms.Form):
    """The study to try the rules with."""

    study = forms.CharField(
        label=_("Accession number or Study Instance UID"),
        max_length=64,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )


def series_label(series: Series) -> str:
    """Enough to tell one series from another: `2 CT Thorax, 120 images`."""
    number = "" if series.number is None else str(series.number)
    words = (number, series.modality, series.description or series.protocol_name)
    name = " ".join(word for word in words if word)
    return _("%(name)s, %(count)d images") % {"name": name, "count": series.instance_count}
