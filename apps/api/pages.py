"""Lists by keyset: a page begins behind the last row of the one before, however far in."""

import functools
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.api.requests import MAX_ID

M = TypeVar("M", bound=Model)


@functools.cache
def page_of(shape: type[serializers.BaseSerializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The shape of a page of these."""
    name = f"{shape.__name__.removesuffix('Shape')}Page"
    fields = {
        "results": shape(many=True),
        "next": serializers.CharField(
            allow_null=True, help_text="after of the next page; null: this is the last."
        ),
    }
    made: type[serializers.Serializer[Any]] = type(name, (serializers.Serializer,), fields)
    return made


def newest_first(rows: QuerySet[M], *, after: str, limit: int) -> tuple[list[M], str | None]:
    """A page of rows by falling key, and the `after` of the next."""
    if after:
        rows = rows.filter(pk__lt=key_of(after))
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None


def key_of(text: str) -> int:
    """The key a cursor names; raises ValidationError."""
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_ID:
        raise ValidationError({"after": [_("This is no cursor of ours.")]})
    return int(text)
