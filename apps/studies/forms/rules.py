"""What is always corrected in the objects of a device."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from pydicom.config import RAISE
from pydicom.valuerep import validate_value

from apps.dicom.uids import valid_uid
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

    def clean_sop_class_uid(self) -> str:
        """A UID or nothing: a rule for anything else would never be followed."""
        uid = str(self.cleaned_data["sop_class_uid"]).strip()
        if uid and not valid_uid(uid):
            raise forms.ValidationError(_("A SOP class is named by its UID."))
        return uid

    def clean(self) -> dict[str, Any] | None:
        """What a rule writes into images is a value that its attribute may have."""
        cleaned = super().clean()
        rule = CoercionRule(attribute=self.cleaned_data.get("attribute", ""))
        for field, value in self._written():
            if rule.vr and not _fits(rule.vr, value):
                text = _("“%(value)s” is no value of this attribute (VR %(vr)s).")
                self.add_error(field, text % {"value": value, "vr": rule.vr})
        return cleaned

    def _written(self) -> Iterator[tuple[str, str]]:
        action = self.cleaned_data.get("action")
        if action in {CoercionRule.Action.SET, CoercionRule.Action.DEFAULT}:
            yield "value", self.cleaned_data.get("value", "")
        elif action == CoercionRule.Action.MAP:
            yield from (("table", one) for one in self.cleaned_data.get("table", {}).values())


def _fits(vr: str, value: str) -> bool:
    try:
        validate_value(vr, value, RAISE)
    except ValueError:
        return False
    return True
