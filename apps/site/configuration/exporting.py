"""Writing the site file: the same rows always give the same bytes."""

from typing import Any

import yaml
from django.db import models
from yaml.nodes import MappingNode, ScalarNode

from apps.site.configuration.document import VERSION, VERSION_WORD
from apps.site.configuration.sections import SECTIONS, Section, reference_name
from apps.site.configuration.values import write_value

HEADER = "# A site file of openpacs: what this department is set up with.\n"


class SiteDumper(yaml.SafeDumper):
    """Texts of several lines as blocks; rows of short values on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: SiteDumper, text: str) -> ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class ShortRow(dict[str, Any]):
    """A row of a list inside a row, written on one line."""


def _represent_short_row(dumper: SiteDumper, row: ShortRow) -> MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", row.items(), flow_style=True)


SiteDumper.add_representer(str, _represent_text)
SiteDumper.add_representer(ShortRow, _represent_short_row)


def site_text() -> str:
    """The whole site file."""
    parts = [HEADER + _yaml({VERSION_WORD: int(VERSION)})]
    for section in SECTIONS:
        rows = [_without_defaults(section, row) for row in said_rows(section)]
        if rows:
            parts.append(_yaml({section.name: rows}))
    return "\n".join(parts)


def said_rows(section: Section) -> list[dict[str, Any]]:
    """Every row of a section in the words of the file, ordered by key."""
    said = [said_of(section, row) for row in stored_rows(section)]
    return sorted(said, key=lambda row: [str(row[word]) for word in section.key])


def stored_rows(section: Section) -> models.QuerySet[Any]:
    """The rows of a section with everything they name, in a few queries."""
    rows = section.model._default_manager.filter(**section.only)
    for word in section.words:
        if section.field(word).many_to_many:
            rows = rows.prefetch_related(section.words[word])
        elif section.field(word).is_relation:
            rows = rows.select_related(section.words[word])
    return rows.prefetch_related(section.children.name) if section.children else rows


def said_of(section: Section, row: models.Model) -> dict[str, Any]:
    """One stored row in the words of the file, with its lists."""
    said = {word: _said_value(section, row, word) for word in section.words}
    if section.children:
        inner = [
            ShortRow(said_of(section.children, child))
            for child in getattr(row, section.children.name).all()
        ]
        said[section.children.name] = sort_children(inner, section.children)
    return said


def sort_children(rows: list[ShortRow], section: Section) -> list[ShortRow]:
    """The rows of a list inside a row, in the order in which they are written."""

    def order(row: ShortRow) -> list[str]:
        return [_sort_key(section, word, row[word]) for word in section.key]

    return sorted(rows, key=order)


def _sort_key(section: Section, word: str, value: Any) -> str:
    """Numbered choices (weekdays) sort by number, all else by text."""
    names = [
        write_value(section.field(word), number) for number, _label in _numbered(section, word)
    ]
    return f"{names.index(value):04}" if names else str(value)


def _numbered(section: Section, word: str) -> list[tuple[Any, Any]]:
    return [pair for pair in section.field(word).flatchoices if isinstance(pair[0], int)]


def _said_value(section: Section, row: models.Model, word: str) -> Any:
    field = section.field(word)
    value = getattr(row, section.words[word])
    if field.many_to_many:
        return sorted(reference_name(other) for other in value.all())
    if field.is_relation:
        return reference_name(value) if value is not None else None
    return write_value(field, value)


def _without_defaults(section: Section, said: dict[str, Any]) -> dict[str, Any]:
    return {
        word: value
        for word, value in said.items()
        if word in section.key or value != default_of(section, word)
    }


def default_of(section: Section, word: str) -> Any:
    """What a row has where the file does not say the word."""
    if section.children and word == section.children.name:
        return []
    field = section.field(word)
    return [] if field.many_to_many else write_value(field, field.get_default())


def _yaml(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=SiteDumper, sort_keys=False, allow_unicode=True, width=100)
