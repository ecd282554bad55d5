"""HL7 v2 messages: bytes to fields and fields to bytes (HL7 2.5.1 chapter 2).

The only module that knows the `hl7` package, which splits a message into its tree.
Delimiters, character sets, line ends and escapes are settled here around it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import hl7

from apps.hl7.charsets import codec_of

BOM = b"\xef\xbb\xbf"
HEADERS = (b"FHS", b"BHS", b"MSH")
CLEARED = '""'  # a field that is to be emptied, as opposed to an empty one: leave as it is
BREAK = ".br"
HEADER_FIELDS = 10  # MSH-3 to MSH-12
UTF8 = "UNICODE UTF-8"
_tree: Any = hl7.parse
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}(?![A-Za-z0-9])")
_MESSAGE_START = re.compile(rb"(?:^|[\r\n])MSH[^A-Za-z0-9\s]")
# Characters that would end a segment or a frame, or that no page could show.
_CONTROL = r"\x00-\x1f\x7f"


class MessageError(Exception):
    """The bytes are not an HL7 message that can be read."""


@dataclass(frozen=True)
class Delimiters:
    """MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD = Delimiters()


@dataclass(frozen=True)
class Segment:
    """One segment; fields, repetitions, components and subcomponents count from 1."""

    node: Any
    delimiters: Delimiters = STANDARD

    @property
    def name(self) -> str:
        return _text(_pick(self.node, 0))

    def get(
        self, field: int, component: int = 1, *, repetition: int = 1, subcomponent: int = 1
    ) -> str:
        """The text there, escapes resolved and trimmed; empty where there is none.

        Without NUL characters, which no database column of text holds.
        """
        node = _pick(self.node, field)
        for place in (repetition, component, subcomponent):
            node = _pick(node, place - 1)
        return unescape(_text(node), self.delimiters).replace("\x00", "").strip()

    def raw(self, field: int) -> str:
        """The whole field as sent, escapes and delimiters in place."""
        return str(_pick(self.node, field))

    def components(self, field: int, *, repetition: int = 1) -> list[str]:
        """The components of one repetition, first subcomponents only."""
        node = _pick(_pick(self.node, field), repetition - 1)
        count = 1 if isinstance(node, str) else len(node)
        return [self.get(field, place, repetition=repetition) for place in range(1, count + 1)]

    def repetitions(self, field: int) -> int:
        """How often the field is repeated; 0 where it is empty."""
        node = _pick(self.node, field)
        return 0 if not str(node) else 1 if isinstance(node, str) else len(node)

    def clears(self, field: int) -> bool:
        """Is the field `""`: to be emptied, rather than left as it is?"""
        return self.raw(field).strip() == CLEARED


@dataclass(frozen=True)
class ParsedMessage:
    """A message as a list of segments, MSH first."""

    segments: list[Segment]
    delimiters: Delimiters

    @property
    def header(self) -> Segment:
        return self.segments[0]

    @property
    def control_id(self) -> str:
        return self.header.get(10)

    @property
    def message_type(self) -> str:
        """`ADT^A08`; where MSH-9.2 is empty the event of EVN-1 is taken."""
        event = self.header.get(9, 2) or (evn.get(1) if (evn := self.first("EVN")) else "")
        return "^".join(part for part in (self.header.get(9), event) if part)

    def first(self, name: str) -> Segment | None:
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Segment]:
        return (segment for segment in self.segments if segment.name == name)


def parse(raw: bytes, *, default_charset: str = UTF8) -> ParsedMessage:
    """Read one message; MSH-18, else the default (an MSH-18 value), says its characters.

    Raises MessageError with a text for the sender.
    """
    data = trim(raw)
    if not data.startswith(b"MSH"):
        raise MessageError("the message does not begin with MSH")
    delimiters = _delimiters(data)
    lines = _lines(_decode(data, delimiters, default_charset), delimiters)
    try:
        tree = _tree("\r".join(lines))
    except (hl7.HL7Exception, AssertionError, IndexError, ValueError) as error:
        raise MessageError("the message cannot be split into segments and fields") from error
    return ParsedMessage([Segment(node, delimiters) for node in tree], delimiters)


def trim(raw: bytes) -> bytes:
    """The message without a byte order mark and without white space around it."""
    return raw.lstrip(b" \t\r\n").removeprefix(BOM).strip(b" \t\r\n\x00")


def body(raw: bytes) -> bytes:
    """What follows the first segment: what a repeat has in common with the original."""
    parts = re.split(rb"[\r\n]+", trim(raw), maxsplit=1)
    return parts[1] if len(parts) > 1 else b""


def header_of(raw: bytes) -> Segment:
    """The first segment alone, of a message that may be damaged after it.

    Raises MessageError where even that is not to be had.
    """
    first = re.split(rb"[\r\n]", trim(raw), maxsplit=1)[0]
    ascii_only = bytes(byte if byte < 0x80 else 0x3F for byte in first)
    return parse(ascii_only).header


def split_batch(raw: bytes) -> list[bytes]:
    """The messages of a batch or file (FHS, BHS ... BTS, FTS), or sent without one.

    Anything else is one message, as it is.
    """
    data = trim(raw)
    if data[:3] not in HEADERS[:2] and len(_MESSAGE_START.findall(data)) < 2:
        return [raw]
    found: list[list[bytes]] = []
    for line in re.split(rb"[\r\n]+", data):
        if line.startswith(b"MSH"):
            found.append([line])
        elif found and line[:3] not in (*HEADERS[:2], b"BTS", b"FTS"):
            found[-1].append(line)
    return [b"\r".join(lines) for lines in found]


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    r"""The text as it may stand in a field: nothing in it ends the field or the segment.

    Line breaks become `\.br\`, other control characters `\Xhh\` (2.7.1, 2.7.4).
    """
    names = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        delimiters.escape: "E",
        "\n": BREAK,
    }
    sign = delimiters.escape
    special = re.compile(f"[{re.escape(''.join(names))}{_CONTROL}]")
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return special.sub(
        lambda found: f"{sign}{names.get(found[0]) or f'X{ord(found[0]):02X}'}{sign}", unified
    )


def unescape(text: str, delimiters: Delimiters = STANDARD) -> str:
    """The text as people read it. A sequence that is not known stays as it stands."""
    sign = re.escape(delimiters.escape)
    return re.sub(
        f"{sign}([^{sign}]*){sign}",
        lambda found: _resolve(found.group(1), found.group(0), delimiters),
        text,
    )


def build_segment(name: str, *fields: str) -> str:
    """A segment of fields that are ready made (see `escape` and `join`)."""
    return STANDARD.field.join((name, *fields)).rstrip(STANDARD.field)


def join(*components: str) -> str:
    """A field of components, each escaped, trailing empty ones left out."""
    return STANDARD.component.join(escape(one) for one in components).rstrip(STANDARD.component)


def repeat(fields: Sequence[str]) -> str:
    """A field of repetitions that are ready made."""
    return STANDARD.repetition.join(field for field in fields if field)


def build_message(header: Sequence[str], segments: Sequence[str], *, charset: str) -> bytes:
    """The bytes of a message. `header` holds MSH-3 to MSH-12 ready made.

    MSH-18 names the character set; a text it cannot write is sent in UTF-8 instead.
    """
    padded = [*header, *[""] * (HEADER_FIELDS - len(header))]
    for name in (charset, UTF8):
        msh = build_segment("MSH", STANDARD.encoding_characters, *padded, "", "", "", "", "", name)
        text = "\r".join((msh, *segments)) + "\r"
        try:
            return text.encode(codec_of(name) or "utf-8")
        except UnicodeEncodeError:
            continue
    raise MessageError("the text cannot be encoded")


def _delimiters(data: bytes) -> Delimiters:
    first = re.split(rb"[\r\n]", data, maxsplit=1)[0].decode("latin-1")
    field = first[3:4]
    given = first[4:].split(field, 1)[0] if field else ""
    signs = given + STANDARD.encoding_characters[len(given) :]
    found = Delimiters(field, signs[0], signs[1], signs[2], signs[3])
    splitting = {field, found.component, found.repetition, found.subcomponent}
    if len(splitting - {""}) < 4 or any(sign.isalnum() or sign.isspace() for sign in splitting):
        raise MessageError("MSH-1 and MSH-2 do not give four different delimiters")
    return found


def _decode(data: bytes, delimiters: Delimiters, default_charset: str) -> str:
    fields = re.split(rb"[\r\n]", data, maxsplit=1)[0].split(delimiters.field.encode("latin-1"))
    named = fields[17].decode("latin-1") if len(fields) > 17 else ""
    for name in (named.replace(delimiters.repetition, "~"), default_charset):
        codec = codec_of(name)
        if codec is None:
            continue
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    raise MessageError("the text is not in the character set that MSH-18 names")


def _lines(text: str, delimiters: Delimiters) -> list[str]:
    """The segments. A line that begins none belongs to the text of the one before it."""
    lines: list[str] = []
    for line in re.split(r"\r\n|\r|\n", text):
        if _SEGMENT.match(line) and line[3:4] in ("", delimiters.field):
            lines.append(line)
        elif line.strip() and lines:
            lines[-1] += f"{delimiters.escape}{BREAK}{delimiters.escape}{line}"
    return lines


def _resolve(code: str, whole: str, delimiters: Delimiters) -> str:
    signs = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "H": "",
        "N": "",
    }
    if code in signs:
        return signs[code]
    if code[:3] in (".br", ".sp", ".ce"):
        count = int(code[3:]) if code[3:].isascii() and code[3:].isdigit() else 1
        return "\n" * min(count, 100)
    if code[:1] == "X" and re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", code[1:]):
        return _from_hex(bytes.fromhex(code[1:]))
    return whole


def _from_hex(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _pick(node: Any, place: int) -> Any:
    """Child `place` of a node (from 0); a bare text is its own and only child."""
    if isinstance(node, str):
        return node if place == 0 else ""
    return node[place] if 0 <= place < len(node) else ""


def _text(node: Any) -> str:
    return node if isinstance(node, str) else str(node)
