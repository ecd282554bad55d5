"""What the viewer sends when a layout is to be kept."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.orders.models import Procedure
from apps.viewer.shapes import LayoutShape, checked


class LayoutForm(forms.Form):
    """A layout, its name, and the studies it is for."""

    name = forms.CharField(label=_("name"), max_length=64)
    modality = forms.CharField(label=_("modality"), max_length=16, required=False)
    body_part = forms.CharField(label=_("body part"), max_length=16, required=False)
    procedure = forms.ModelChoiceField(
        label=_("procedure"), queryset=Procedure.objects.all(), required=False
    )
    is_default = forms.BooleanField(label=_("default"), required=False)
    for_everybody = forms.BooleanField(label=_("for everybody"), required=False)
    layout = forms.JSONField(label=_("layout"))

    def clean_layout(self) -> dict[str, Any]:
        return checked(LayoutShape, self.cleaned_data["layout"])
