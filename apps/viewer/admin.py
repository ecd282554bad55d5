"""Layouts for everybody, and the programs on the desks; what is one person's stays theirs."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from apps.accounts.admin import PolicyAdmin
from apps.accounts.policy import Action
from apps.viewer.models import HangingProtocol, Launcher


class ReadableJSON(json.JSONEncoder):
    """With a line for each value: layouts are read and changed by people."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


class LayoutTextField(forms.JSONField):
    """JSON in a large field; kept in the order it was written in."""

    widget = forms.Textarea(attrs={"rows": 30, "cols": 80, "spellcheck": "false"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "encoder": ReadableJSON})


@admin.register(HangingProtocol)
class HangingProtocolAdmin(PolicyAdmin[HangingProtocol]):
    """Everybody's layouts: named, aimed, put out of use. They are drawn in the viewer."""

    list_display = ("name", "modality", "body_part", "procedure", "is_default", "active")
    list_filter = ("active", "is_default", "modality")
    list_select_related = ("procedure",)
    search_fields = ("name", "procedure__meaning")
    autocomplete_fields = ("procedure",)
    fields = ("name", "active", "is_default", "modality", "body_part", "procedure", "layout")

    def may(self, request: HttpRequest, action: Action, row: models.Model | None = None) -> bool:
        """Who writes report texts does not yet arrange everybody's screens."""
        needed = action if action is Action.VIEW else Action.DELETE
        return super().may(request, needed, row)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[HangingProtocol]:
        return super().get_queryset(request).filter(owner=None)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "layout":
            kwargs["form_class"] = LayoutTextField
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Launcher)
class LauncherAdmin(PolicyAdmin[Launcher]):
    list_display = ("name", "active", "position", "template")
    list_filter = ("active",)
    search_fields = ("name", "template")
