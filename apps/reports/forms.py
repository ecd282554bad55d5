"""What radiologists type: the text of a report, an addendum, the password before signing."""

import time
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.reports.models import Report, ReportVersion, Section
from apps.reports.services import ReportText, ShownImage

# One re-authentication covers the signatures of this time.
CONFIRMED_SECONDS = 10 * 60
CONFIRMED_KEY = "signing_confirmed"
SHOWN_LENGTH = 65 * 64  # as many UIDs as a screen has viewports, and more
MOST_KEY = 2**63 - 1  # of a row
ROWS = {Section.TECHNIQUE: 3, Section.FINDINGS: 12, Section.IMPRESSION: 5}


def _section(section: Section) -> forms.CharField:
    attributes = {"rows": ROWS[section], "class": "form-control", "data-section": section.value}
    return forms.CharField(
        label=section.label,
        required=False,
        strip=False,
        max_length=50_000,
        widget=forms.Textarea(attrs=attributes),
    )


class ReportForm(forms.Form):
    """The sections, and the revision of the draft they were typed over."""

    technique = _section(Section.TECHNIQUE)
    findings = _section(Section.FINDINGS)
    impression = _section(Section.IMPRESSION)
    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    @classmethod
    def of(cls, report: Report) -> "ReportForm":
        """The form showing the draft as it stands."""
        sections = {section.value: getattr(report, section.value) for section in Section}
        return cls(initial={**sections, "revision": report.revision})

    @property
    def text(self) -> ReportText:
        # Browsers send line ends as CRLF.
        said = {part.value: self.cleaned_data[part.value] for part in Section}
        return ReportText(**{key: text.replace("\r\n", "\n") for key, text in said.items()})


class ConfirmedForm(forms.Form):
    """Asks for the password before signing, unless it was asked a few minutes ago.

    `shown` names the studies that a viewer shows meanwhile, with spaces between.
    """

    shown = forms.CharField(
        required=False,
        max_length=SHOWN_LENGTH,
        widget=forms.HiddenInput(attrs={"data-shown": ""}),
    )

    password = forms.CharField(
        label=_("Your password, to sign"),
        strip=False,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "current-password", "class": "form-control"}
        ),
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        confirmed = request.session.get(CONFIRMED_KEY, 0)
        self.asks_password = not 0 <= time.time() - confirmed < CONFIRMED_SECONDS
        if not self.asks_password:
            del self.fields["password"]

    def clean_shown(self) -> list[str]:
        said: str = self.cleaned_data["shown"]
        return said.split()

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        name = self.request.user.get_username()
        # Not check_password: wrong ones count towards the lock-out.
        if authenticate(self.request, username=name, password=password) != self.request.user:
            raise forms.ValidationError(_("This is not your password."))
        self.request.session[CONFIRMED_KEY] = int(time.time())
        return password


class SignForm(ConfirmedForm):
    """Which signature a report gets."""

    SIGNATURES = [
        (one.value, one.label)
        for one in (ReportVersion.Status.FINAL, ReportVersion.Status.PRELIMINARY)
    ]
    status = forms.ChoiceField(choices=SIGNATURES)


class AddendumForm(ConfirmedForm):
    """What is added to a final report."""

    text = forms.CharField(
        label=_("Addendum"),
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "form-control"}),
    )
    field_order = ("text", "password")


class PictureForm(forms.Form):
    """A picture of the viewer for a report, and what it shows."""

    picture = forms.FileField()
    caption = forms.CharField(max_length=300, required=False)
    report = forms.IntegerField(min_value=1, max_value=MOST_KEY, required=False)
    study = forms.CharField(max_length=64)
    series = forms.CharField(max_length=64, required=False)
    instance = forms.CharField(max_length=64, required=False)
    frame = forms.IntegerField(min_value=1, max_value=10_000_000, required=False)

    @property
    def shown(self) -> ShownImage:
        """What it shows, once the form is valid."""
        said = self.cleaned_data
        return ShownImage(
            study_instance_uid=said["study"],
            series_instance_uid=said["series"],
            sop_instance_uid=said["instance"],
            frame=said["frame"],
        )


class CaptionForm(forms.Form):
    """Another caption of a picture."""

    caption = forms.CharField(max_length=300, required=False)
