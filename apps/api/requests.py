"""What is asked: bodies in bounded memory, query parameters by declaration."""

import codecs
import json
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from apps.api.problems import TooLarge

MAX_BODY = 256 * 1024  # bytes: an order with all its texts has a few thousand
MAX_ID = 2**63 - 1


class ShortJSONParser(JSONParser):
    """JSON of a bounded length; deep nesting is an error of the sender, not of ours."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> Any:
        data = stream.read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            raise TooLarge
        try:
            said = json.loads(codecs.decode(data, "utf-8"), parse_constant=_refuse)
            json.dumps(said, ensure_ascii=False).encode()  # halves of characters fit nowhere
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not JSON.")) from error
        return said


class Asked(serializers.Serializer[Any]):
    """What may be asked; anything else in a request is an error that names it."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                message = _("There is no such field here.")
                raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)


class Page(Asked):
    """Which part of a list."""

    after = serializers.CharField(
        required=False,
        max_length=64,
        default="",
        help_text="The next of the page before; left out: the first page.",
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=200, default=50, help_text="Rows of a page."
    )


def read(shape: type[Asked], data: Any) -> dict[str, Any]:
    """The checked values of a query or body; raises ValidationError."""
    asked = shape(data=data)
    asked.is_valid(raise_exception=True)
    values: dict[str, Any] = asked.validated_data
    return values


def _refuse(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON
