"""Forms of accounts."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group

from apps.accounts.models import Role


class RoleChoiceField(forms.ModelMultipleChoiceField[Group]):
    """Groups, shown by the name of the role each stands for."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        return str(Role(obj.name).label) if obj.name in Role.values else str(obj.name)
