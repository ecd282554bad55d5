"""What a conformance statement is made of, and how it is written as a document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of texts under their headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A numbered part: paragraphs, then tables, then parts of its own."""

    title: str
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    parts: "tuple[Section, ...]" = ()


@dataclass(frozen=True)
class Numbered:
    """A section with its place in the statement: `number` "3.2.1", `depth` 3."""

    number: str
    depth: int
    section: Section


@dataclass(frozen=True)
class Statement:
    """A whole conformance statement."""

    title: str
    sections: tuple[Section, ...]

    @property
    def numbered(self) -> Iterator[Numbered]:
        """Every section in reading order."""
        return _numbered(self.sections, "")


def as_markdown(statement: Statement) -> str:
    """The document, for docs/."""
    lines = [f"# {statement.title}", ""]
    for one in statement.numbered:
        lines += [f"{'#' * (one.depth + 1)} {one.number} {one.section.title}", ""]
        for text in one.section.texts:
            lines += [text, ""]
        for table in one.section.tables:
            lines += [*_table(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def _numbered(sections: Sequence[Section], above: str) -> Iterator[Numbered]:
    for count, section in enumerate(sections, start=1):
        number = f"{above}{count}"
        yield Numbered(number, number.count(".") + 1, section)
        yield from _numbered(section.parts, f"{number}.")


def _table(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield _row(["---"] * len(table.columns))
    for row in table.rows:
        yield _row(row)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
