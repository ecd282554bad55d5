"""Reading the text of a site file into entries, with every problem's line."""

from dataclasses import dataclass, field
from typing import Any

import yaml
from django.utils.translation import gettext as _
from yaml.nodes import MappingNode, Node, SequenceNode

from apps.site.configuration.problems import Problem
from apps.site.configuration.sections import SECTIONS, Section
from apps.site.configuration.values import BadValueError, line_of, read_value, scalar

VERSION = "1"
VERSION_WORD = "version"


@dataclass(kw_only=True)
class Entry:
    """One row of a section as the file says it: words with their values and lines."""

    section: Section
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    children: "list[Entry]" = field(default_factory=list)

    @property
    def key(self) -> tuple[Any, ...]:
        """What names the row: the values of its key words."""
        return tuple(self.values[word] for word in self.section.key)

    def line_of(self, word: str) -> int:
        """The line of a word, or of the row where the word is absent."""
        return self.lines.get(word, self.line)


class SiteDocument:
    """The entries of a site file, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self.entries: list[Entry] = []
        root = self._compose(text)
        if root is not None:
            self._read_sections(root)

    def complain(self, line: int, message: str) -> None:
        """Note a problem and go on."""
        self.problems.append(Problem(line, message))

    def _compose(self, text: str) -> Node | None:
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = ", ".join(part for part in (error.context, error.problem) if part)
            self.complain(mark.line + 1 if mark else 1, _("not YAML: %(why)s") % {"why": said})
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self.complain(line, _("not YAML: %(why)s") % {"why": error.reason})
        except RecursionError:
            self.complain(1, _("not a site file: nested too deeply"))
        return None

    def _read_sections(self, root: Node) -> None:
        found = self._mapping(root, (VERSION_WORD, *(one.name for one in SECTIONS)))
        self._check_version(found.get(VERSION_WORD))
        for section in SECTIONS:
            if section.name in found:
                self.entries += self._read_rows(section, found[section.name])

    def _check_version(self, node: Node | None) -> None:
        if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value == VERSION):
            self.complain(
                line_of(node),
                _("this version of openpacs reads site files of version %(version)s")
                % {"version": VERSION},
            )

    def _read_rows(self, section: Section, node: Node) -> list[Entry]:
        rows = [self._read_row(section, item) for item in self._items(node)]
        entries = [row for row in rows if row is not None]
        self._refuse_repeats(section, entries)
        return entries

    def _read_row(self, section: Section, node: Node) -> Entry | None:
        entry = Entry(section=section, line=line_of(node))
        for word, value in self._mapping(node, section.known_words).items():
            entry.lines[word] = line_of(value)
            if section.children and word == section.children.name:
                entry.children = self._read_rows(section.children, value)
            else:
                self._read_word(entry, word, value)
        return entry if self._has_key(entry) else None

    def _read_word(self, entry: Entry, word: str, node: Node) -> None:
        try:
            entry.values[word] = read_value(entry.section.field(word), node)
        except BadValueError as error:
            self.complain(error.line, f"{word}: {error}")

    def _has_key(self, entry: Entry) -> bool:
        for word in entry.section.key:
            default = entry.section.field(word)
            if word not in entry.lines and default.has_default():
                entry.values[word] = default.get_default()
            elif word not in entry.lines or entry.values.get(word) == "":
                self.complain(entry.line_of(word), _("%(word)s is missing") % {"word": word})
        return all(entry.values.get(word) not in ("", None) for word in entry.section.key)

    def _refuse_repeats(self, section: Section, entries: list[Entry]) -> None:
        first: dict[tuple[Any, ...], int] = {}
        for entry in entries:
            line = first.setdefault(entry.key, entry.line)
            if line != entry.line:
                self.complain(
                    entry.line,
                    _("the same row of %(section)s stands on line %(line)s already")
                    % {"section": section.name, "line": line},
                )

    def _items(self, node: Node) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        if not _is_null(node):
            self.complain(line_of(node), _("a list is expected here"))
        return []

    def _mapping(self, node: Node, known: tuple[str, ...]) -> dict[str, Node]:
        """The known words of a mapping; the others, and repeats, are problems."""
        found: dict[str, Node] = {}
        if not isinstance(node, MappingNode):
            if not _is_null(node):
                self.complain(line_of(node), _("words with values are expected here"))
            return found
        for key, value in node.value:
            word = scalar(key) if isinstance(key, yaml.ScalarNode) else ""
            if word not in known:
                self.complain(line_of(key), _unknown(word, known))
            elif word in found:
                self.complain(line_of(key), _("“%(word)s” stands here twice") % {"word": word})
            else:
                found[word] = value
        return found


def _unknown(word: str, known: tuple[str, ...]) -> str:
    return _("unknown word “%(word)s”; known here: %(known)s") % {
        "word": word,
        "known": ", ".join(known),
    }


def _is_null(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and scalar(node) == ""
