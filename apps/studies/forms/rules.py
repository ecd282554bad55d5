"""What is always corrected in the objects of a device."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.studies.models import CoercionRule
from apps.studies.services import correctable


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
