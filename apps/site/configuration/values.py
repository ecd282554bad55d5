"""Values of a site file: how each type of model field is read from YAML and written to it.

The text of a YAML scalar is read by the field it is for, not by what YAML takes it for:
`no` is a fine name, `0815` a fine code and `08:00` a time of day.
"""

import datetime
import json
import re
from collections.abc import Callable
from typing import Any, cast

from django.db import models
from django.utils.translation import gettext as _
from yaml.nodes import Node, ScalarNode, SequenceNode

NULL_TAG = "tag:yaml.org,2002:null"
FLAGS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


class BadValueError(Exception):
    """A value that cannot be what its field asks for."""

    def __init__(self, node: Node, message: str) -> None:
        self.line = line_of(node)
        super().__init__(message)


class Reference(str):
    """The name of another row, and the line on which it stands."""

    line: int

    @classmethod
    def at(cls, node: Node) -> "Reference":
        reference = cls(scalar(node))
        reference.line = line_of(node)
        return reference


Field = Any  # a model field; django-stubs types them by their values
Reader = Callable[[Field, Node], Any]


def line_of(node: Node) -> int:
    """The line a node begins on, counted from 1."""
    return int(node.start_mark.line) + 1


def scalar(node: Node) -> str:
    """The text of a single value; empty for null."""
    if not isinstance(node, ScalarNode):
        raise BadValueError(node, _("a single value is expected here"))
    return "" if node.tag == NULL_TAG else cast("str", node.value)


def read_value(field: Field, node: Node) -> Any:
    """The value of a field, not yet checked against the database."""
    for kind, read in READERS:
        if isinstance(field, kind):
            return read(field, node)
    raise TypeError(f"no reader for {field!r}")


def write_value(field: Field, value: Any) -> Any:
    """The value of a field as text, number, flag or None, ready for YAML."""
    if field.choices and isinstance(value, int):
        return _choice_names(field)[value]
    if isinstance(value, dict):
        # In an order of its own: PostgreSQL keeps none.
        return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    if isinstance(value, datetime.time):
        return value.isoformat("auto" if value.second else "minutes")
    return value


def _read_text(field: Field, node: Node) -> str:
    text = scalar(node)
    if CONTROL_CHARACTERS.search(text):
        raise BadValueError(node, _("control characters are not allowed"))
    allowed = [key for key, _label in field.flatchoices]
    if allowed and text not in allowed:
        raise BadValueError(node, _not_one_of(text, allowed))
    return text


def _read_flag(_field: Field, node: Node) -> bool:
    text = scalar(node).lower()
    if text not in FLAGS:
        raise BadValueError(node, _("“%(value)s” is neither true nor false") % {"value": text})
    return FLAGS[text]


def _read_number(field: Field, node: Node) -> int | None:
    text = scalar(node)
    if field.choices:
        return _read_named_number(field, node)
    if not text and field.null:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise BadValueError(node, _("“%(value)s” is not a whole number") % {"value": text})
    return int(text)


def _read_named_number(field: Field, node: Node) -> int:
    names = {name: number for number, name in _choice_names(field).items()}
    text = scalar(node).lower()
    if text not in names:
        raise BadValueError(node, _not_one_of(text, list(names)))
    return names[text]


def _choice_names(field: Field) -> dict[int, str]:
    """The words for numbered choices: the members' names (monday), whatever the language."""
    enumeration: Any = next(
        inner
        for inner in vars(field.model).values()
        if isinstance(inner, type)
        and issubclass(inner, models.IntegerChoices)
        and list(inner.choices) == list(field.choices)
    )
    return {member.value: member.name.lower() for member in enumeration}


def _read_json(field: Field, node: Node) -> Any:
    """A list of texts (UIDs, statuses), or what the field itself checks: a text in JSON."""
    if field.has_default():
        return _read_texts(node)
    try:
        return json.loads(scalar(node))
    except (ValueError, RecursionError):
        raise BadValueError(node, _("this is not JSON")) from None


def _read_texts(node: Node) -> list[str]:
    if isinstance(node, ScalarNode) and not scalar(node):
        return []
    if not isinstance(node, SequenceNode):
        raise BadValueError(node, _("a list is expected here"))
    return [scalar(item) for item in node.value]


def _read_time(_field: Field, node: Node) -> datetime.time:
    found = TIME_OF_DAY.fullmatch(scalar(node))
    if found is None:
        raise BadValueError(
            node, _("“%(value)s” is not a time of day (08:30)") % {"value": scalar(node)}
        )
    hour, minute, second = (int(part) for part in found.groups("0"))
    return datetime.time(hour, minute, second)


def _read_reference(_field: Field, node: Node) -> Reference | None:
    reference = Reference.at(node)
    return reference or None


def _read_references(_field: Field, node: Node) -> list[Reference]:
    if isinstance(node, ScalarNode) and not scalar(node):
        return []
    if not isinstance(node, SequenceNode):
        raise BadValueError(node, _("a list is expected here"))
    return [Reference.at(item) for item in node.value]


def _not_one_of(text: str, allowed: list[str]) -> str:
    return _("“%(value)s” is not one of: %(allowed)s") % {
        "value": text,
        "allowed": ", ".join(allowed),
    }


# The first type that fits reads the value.
READERS: tuple[tuple[type, Reader], ...] = (
    (models.ManyToManyField, _read_references),
    (models.ForeignKey, _read_reference),
    (models.BooleanField, _read_flag),
    (models.IntegerField, _read_number),
    (models.JSONField, _read_json),
    (models.TimeField, _read_time),
    (models.CharField, _read_text),
    (models.TextField, _read_text),
)
