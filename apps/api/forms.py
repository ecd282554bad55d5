"""Making a token."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiToken, Scope

LONGEST = datetime.timedelta(days=2 * 366)
USUAL = datetime.timedelta(days=365)


def usual_end() -> datetime.date:
    return timezone.localdate() + USUAL


class TokenForm(forms.ModelForm[ApiToken]):
    """What the token is for, what it opens and until when."""

    scopes = forms.MultipleChoiceField(
        label=_("It opens"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    until = forms.DateField(
        label=_("Valid until"),
        initial=usual_end,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}),
        help_text=_("Two years at most. A script that is still needed then gets a new token."),
    )

    class Meta:
        model = ApiToken
        fields = ("name", "scopes")
        labels = {"name": _("What it is for")}
        widgets = {"name": forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"})}

    def clean_until(self) -> datetime.date:
        until: datetime.date = self.cleaned_data["until"]
        if not timezone.localdate() <= until <= timezone.localdate() + LONGEST:
            raise forms.ValidationError(_("Choose a day from today to two years from now."))
        return until

    @property
    def wanted(self) -> dict[str, Any]:
        """Arguments of `make_token`."""
        end = datetime.datetime.combine(self.cleaned_data["until"], datetime.time.max)
        return {
            "name": self.cleaned_data["name"],
            "scopes": [Scope(value) for value in self.cleaned_data["scopes"]],
            "expires_at": timezone.make_aware(end),
        }
