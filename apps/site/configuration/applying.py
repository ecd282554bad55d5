"""Bringing the database to what the entries of a site file say.

Every row is checked by `full_clean()`, so that a constraint is a message with a line and
never an error of the database; all problems of a file are found in one run.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.site.configuration.document import Entry, SiteDocument
from apps.site.configuration.exporting import (
    ShortRow,
    said_of,
    sort_children,
    stored_rows,
)
from apps.site.configuration.sections import SECTIONS, Section, reference_name
from apps.site.configuration.values import Reference, write_value


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row that was added, or the words of it that changed: word -> (before, after)."""

    section: str
    row: str
    added: bool
    words: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.added:
            return f"+ {self.section}: {self.row}"
        said = ", ".join(
            f"{word} {_short(old)} -> {_short(new)}" for word, (old, new) in self.words.items()
        )
        return f"~ {self.section}: {self.row}: {said}"


class Application:
    """One run over the entries, inside the caller's transaction.

    After `run`, `changes` says what was done and `document.problems` what could not be;
    the caller rolls back where there is a problem.
    """

    def __init__(self, document: SiteDocument) -> None:
        self.document = document
        self.changes: list[Change] = []
        self._rows: dict[type[models.Model], dict[str, models.Model]] = {}
        self._announced = {(entry.section.model, _entry_name(entry)) for entry in document.entries}

    def run(self) -> None:
        for section in SECTIONS:
            self._apply_section(
                section, [one for one in self.document.entries if one.section is section]
            )

    def _apply_section(self, section: Section, entries: list[Entry]) -> None:
        """Rows are tried again while others of the section make room for them."""
        if entries:
            self._rows[section.model] = _by_name(stored_rows(section))
        refused = self._apply_entries(entries)
        while refused and len(refused) < len(entries):
            entries = [entry for entry, _error in refused]
            refused = self._apply_entries(entries)
        for entry, error in refused:
            self._complain(entry, error)

    def _apply_entries(self, entries: list[Entry]) -> list[tuple[Entry, ValidationError]]:
        refused = []
        for entry in entries:
            try:
                self._apply(entry)
            except ValidationError as error:
                refused.append((entry, error))
        return refused

    def _apply(self, entry: Entry) -> None:
        section = entry.section
        name = _entry_name(entry)
        stored = self._rows[section.model].get(name)
        before = said_of(section, stored) if stored else None
        row = copy.copy(stored) if stored else _new_row(section)
        links = self._set_values(row, entry)
        unresolved = self._unresolved(entry)
        row.full_clean(exclude=unresolved)
        children = [one for one in map(self._child, entry.children) if one is not None]
        after = _said_after(entry, row, links)
        if before == after or unresolved:
            return  # what has a problem is not imported anyway
        row.save()
        _set_links(row, links)
        if (
            section.children
            and (before or {}).get(section.children.name) != after[section.children.name]
        ):
            _replace_children(row, section.children, children)
        self._rows[section.model][name] = row
        self.changes.append(_change(section, name, before, after))

    def _set_values(self, row: models.Model, entry: Entry) -> dict[str, list[models.Model]]:
        """Set the plain fields; returns the lists of other rows, by field."""
        links: dict[str, list[models.Model]] = {}
        for word, name in entry.section.words.items():
            model_field = entry.section.field(word)
            if model_field.many_to_many:
                links[name] = self._resolve(entry, word, entry.values.get(word, []))
            elif model_field.is_relation:
                wanted = entry.values.get(word)
                found = self._resolve(entry, word, [wanted] if wanted else [])
                setattr(row, name, found[0] if found else None)
            else:
                setattr(row, name, entry.values.get(word, model_field.get_default()))
        return links

    def _resolve(self, entry: Entry, word: str, names: list[Reference]) -> list[models.Model]:
        target = entry.section.field(word).related_model
        known = self._known(target)
        for name in names:
            if name not in known and (target, str(name)) not in self._announced:
                self.document.complain(
                    name.line,
                    _("%(word)s: there is no %(what)s “%(name)s”")
                    % {"word": word, "what": _target_name(target), "name": name},
                )
        return [known[name] for name in dict.fromkeys(names) if name in known]

    def _known(self, model: Any) -> dict[str, models.Model]:
        if model not in self._rows:
            self._rows[model] = _by_name(model._default_manager.all())
        return self._rows[model]

    def _unresolved(self, entry: Entry) -> set[str]:
        """Fields whose value is a problem already: one complaint each is enough."""
        return {
            entry.section.words[word]
            for word in entry.lines
            if word in entry.section.words and word not in entry.values
        }

    def _child(self, entry: Entry) -> models.Model | None:
        """A row of a list inside a row, not saved yet; None where it has a problem."""
        unresolved = self._unresolved(entry)
        made = entry.section.model()
        self._set_values(made, entry)
        try:
            made.full_clean(exclude={entry.section.parent_field, *unresolved})
        except ValidationError as error:
            self._complain(entry, error)
            return None
        return None if unresolved else made

    def _complain(self, entry: Entry, error: ValidationError) -> None:
        words = {name: word for word, name in entry.section.words.items()}
        for name, messages in error.message_dict.items():
            word = "" if name == NON_FIELD_ERRORS else words.get(name, name)
            for message in messages:
                said = f"{word}: {message}" if word else message
                self.document.complain(entry.line_of(word), said)


def _new_row(section: Section) -> models.Model:
    row = section.model()
    if isinstance(row, User):
        # The file holds no secrets: the person sets a password through a one-time link.
        row.set_unusable_password()
    return row


def _entry_name(entry: Entry) -> str:
    return "/".join(str(part) for part in entry.key)


def _by_name(rows: models.QuerySet[Any]) -> dict[str, models.Model]:
    return {reference_name(row): row for row in rows}


def _target_name(model: Any) -> str:
    named = {one.model: one.name for one in SECTIONS}
    return named.get(model) or (_("role") if model is Group else model._meta.verbose_name)


def _said_after(
    entry: Entry, row: models.Model, links: dict[str, list[models.Model]]
) -> dict[str, Any]:
    section = entry.section
    said: dict[str, Any] = {}
    for word, name in section.words.items():
        model_field = section.field(word)
        if model_field.many_to_many:
            said[word] = sorted(reference_name(other) for other in links[name])
        elif model_field.is_relation:
            other = getattr(row, name)
            said[word] = reference_name(other) if other is not None else None
        else:
            said[word] = write_value(model_field, getattr(row, name))
    if section.children:
        said[section.children.name] = _said_children(entry.children, section.children)
    return said


def _said_children(entries: list[Entry], section: Section) -> list[ShortRow]:
    rows = [
        ShortRow(
            {word: write_value(section.field(word), one.values.get(word)) for word in section.words}
        )
        for one in entries
        if all(word in one.values for word in section.key)
    ]
    return sort_children(rows, section)


def _set_links(row: models.Model, links: dict[str, list[models.Model]]) -> None:
    for name, others in links.items():
        getattr(row, name).set(others)


def _replace_children(row: models.Model, section: Section, children: list[models.Model]) -> None:
    getattr(row, section.name).all().delete()
    for child in children:
        setattr(child, section.parent_field, row)
        child.save()


def _change(
    section: Section, name: str, before: dict[str, Any] | None, after: dict[str, Any]
) -> Change:
    if before is None:
        return Change(section=section.name, row=name, added=True)
    words = {word: (before[word], new) for word, new in after.items() if before[word] != new}
    return Change(section=section.name, row=name, added=False, words=words)


def _short(value: Any) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return f"“{text}”" if len(text) <= 40 else f"“{text[:39]}…”"
