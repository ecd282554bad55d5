"""Clinical documents (HL7 CDA) as their words: titles and narrative, nothing that could run.

What styles, links, pictures and scripts a document brings is left out (PS3.3 A.45.2).
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from apps.dicom.rendering.options import RenderingError
from apps.dicom.rendering.pages import page

_MOST_BLOCKS = 20_000
_BLOCKS = frozenset({"paragraph", "item", "tr", "caption", "list", "table", "br"})
_CELLS = frozenset({"td", "th"})
_SILENT = frozenset({"script", "style", "renderMultiMedia", "observationMedia"})


def as_document(data: bytes, words: Mapping[str, str]) -> dict[str, Any]:
    """Title and lines as `reports.as_sheet` has them; raises RenderingError."""
    try:
        root = fromstring(data.rstrip(b"\0"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise RenderingError("not a document in well-formed XML") from None
    title = next((_words(one) for one in root if _name(one) == "title"), "")
    lines = []
    for line in _lines(root, 0):
        lines.append(line)
        if len(lines) > _MOST_BLOCKS:
            raise RenderingError("a document of too many parts")
    return {"title": title or words["report"], "about": [], "tables": [], "lines": lines}


def document_html(sheet: dict[str, Any], words: Mapping[str, str]) -> str:
    """The page of a document."""
    body = "".join(
        f"<h2>{escape(name)}</h2>" if heading else f"<p class='value'>{escape(value)}</p>"
        for _depth, _relation, name, value, heading in sheet["lines"]
    )
    return page(sheet["title"], body, words.get("language", "en"))


def document_text(sheet: dict[str, Any], _words: Mapping[str, str]) -> str:
    """Its words in lines."""
    lines = (
        f"\n{name}" if heading else value
        for _depth, _relation, name, value, heading in sheet["lines"]
    )
    return "\n".join([sheet["title"], *lines, ""])


def _lines(element: Element, depth: int) -> Iterator[list[Any]]:
    """The titles and texts of sections, in order, however deep they are."""
    for child in element:
        name = _name(child)
        if name == "text":
            yield from ([depth, "", "", block, False] for block in _blocks(child))
        elif name == "title" and _name(element) == "section":
            yield [depth, "", _words(child), "", True]
        else:
            yield from _lines(child, depth + (name == "section"))


def _blocks(element: Element) -> Iterator[str]:
    """Paragraphs of a narrative; cells of one row stand in one line."""
    pieces: list[str] = []
    for piece in [*_pieces(element), None]:
        if piece is not None:
            pieces.append(piece)
            continue
        if block := " ".join("".join(pieces).split()):
            yield block
        pieces = []


def _pieces(element: Element) -> Iterator[str | None]:
    """Text, and None where a line ends."""
    yield element.text or ""
    for child in element:
        name = _name(child)
        if name in _BLOCKS:
            yield None
        if name not in _SILENT:
            yield from _pieces(child)
        if name in _BLOCKS:
            yield None
        elif name in _CELLS:
            yield "   "
        yield child.tail or ""


def _words(element: Element) -> str:
    return " ".join("".join(one or " " for one in _pieces(element)).split())


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
