"""What a kept layout and a person's habits in the viewer look like, and what is refused.

Layouts are in words of our own, not of the viewer: static/js/viewer/hanging.js makes one of
its hanging protocols of them, so that a new version of the viewer does not spoil them.
"""

import math
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

VERSION = 1
MAX_BYTES = 64_000  # of one request of the viewer
# What the viewer keeps in the browser and belongs to the person, not to the machine.
STORED = (
    "user-preferred-keys",
    "i18nextLng",
    "ohif:theme",
    "ohif:custom-theme-css",
    "openpacs:slab",
)


class Number(serializers.FloatField):
    """A finite number: JSON has no other."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class WindowShape(serializers.Serializer[Any]):
    """Window width and centre, in the values of the modality (HU for CT)."""

    width = Number(min_value=0.001, max_value=1e6)
    center = Number(min_value=-1e6, max_value=1e6)


class PointShape(serializers.Serializer[Any]):
    """How opaque a value of the modality is drawn."""

    value = Number(min_value=-1e6, max_value=1e6)
    opacity = Number(min_value=0, max_value=1)


class ColoursShape(serializers.Serializer[Any]):
    """Colours of a series, as it is laid over another: their name in the viewer, how opaque.

    `opacity` is the same for all values; where it is not, `curve` has it by value.
    """

    name = serializers.CharField(max_length=64)
    opacity = Number(min_value=0, max_value=1, allow_null=True, default=None)
    curve = serializers.ListField(child=PointShape(), max_length=64, default=list)
    threshold = Number(allow_null=True, default=None)  # nothing below it


class ShownSeries(serializers.Serializer[Any]):
    """A series of a viewport, by what it is like: series of other studies have other UIDs."""

    study = serializers.ChoiceField(["current", "prior"], default="current")
    modality = serializers.CharField(max_length=16, allow_blank=True, default="")
    description = serializers.CharField(max_length=128, allow_blank=True, default="")
    place = serializers.IntegerField(min_value=0, max_value=99, default=0)  # among the alike
    blend = serializers.ChoiceField(["none", "mip", "minip", "avg"], default="none")
    slab = Number(min_value=0.1, max_value=1000, allow_null=True, default=None)  # mm
    window = WindowShape(allow_null=True, default=None)
    inverted = serializers.BooleanField(default=False)
    colours = ColoursShape(allow_null=True, default=None)
    preset = serializers.CharField(max_length=64, allow_blank=True, default="")  # of 3D


class ViewportShape(serializers.Serializer[Any]):
    """A part of the grid (shares of its width and height) and what it shows."""

    x = Number(min_value=0, max_value=1)
    y = Number(min_value=0, max_value=1)
    width = Number(min_value=0.01, max_value=1)
    height = Number(min_value=0.01, max_value=1)
    kind = serializers.ChoiceField(["stack", "volume", "volume3d"])
    orientation = serializers.ChoiceField(
        ["axial", "sagittal", "coronal", "acquisition"], allow_null=True, default=None
    )
    tools = serializers.ChoiceField(["default", "mpr", "volume3d"], default="default")
    position = Number(min_value=0, max_value=1, allow_null=True, default=None)
    series = serializers.ListField(child=ShownSeries(), max_length=4)


class LayoutShape(serializers.Serializer[Any]):
    """The grid of a layout."""

    version = serializers.ChoiceField([VERSION])
    rows = serializers.IntegerField(min_value=1, max_value=8)
    columns = serializers.IntegerField(min_value=1, max_value=8)
    viewports = serializers.ListField(child=ViewportShape(), min_length=1, max_length=32)


class PresetShape(WindowShape):
    """A window under a name, offered for images of a modality."""

    name = serializers.CharField(max_length=40)
    modality = serializers.CharField(max_length=16)


class HabitsShape(serializers.Serializer[Any]):
    """What of a person's habits has changed: the part that is not given stays as it is."""

    stored = serializers.DictField(
        child=serializers.CharField(max_length=16_000, trim_whitespace=False), required=False
    )
    windows = serializers.ListField(child=PresetShape(), required=False, max_length=100)

    def validate_stored(self, stored: dict[str, str]) -> dict[str, str]:
        strange = sorted(set(stored) - set(STORED))
        if strange:
            raise serializers.ValidationError(
                [_("“%(name)s” is not kept.") % {"name": name[:40]} for name in strange]
            )
        return stored


def checked(shape: type[serializers.Serializer[Any]], given: Any) -> dict[str, Any]:
    """What was given, with only the fields of the shape; raises ValidationError with places."""
    read = shape(data=given)
    if not read.is_valid():
        raise ValidationError(list(_told(read.errors)))
    found: dict[str, Any] = read.validated_data
    return found


def check_layout(given: Any) -> None:
    """Refuse what is no layout, and say where (a validator of the model)."""
    checked(LayoutShape, given)


def _told(errors: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Nested errors as lines: `viewports, 1, kind: "x" is not a valid choice.`"""
    if not isinstance(errors, dict):
        yield from (f"{', '.join(place)}: {text}" if place else str(text) for text in errors)
        return
    for name, below in errors.items():
        yield from _told(below, place + _step(name))


def _step(name: str | int) -> tuple[str, ...]:
    """A field by its name, an entry of a list by its number, counted from one."""
    if name == "non_field_errors":
        return ()
    return (str(name + 1) if isinstance(name, int) else name,)
