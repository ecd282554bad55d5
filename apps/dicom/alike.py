"""DICOM JSON of headers that are much alike: what one says as another did is written once.

The images of a series differ in a dozen of some hundred attributes. The first header is
converted element by element (`apps/dicom/json.py`) and becomes a pattern: runs of bytes that
stay the same with the text they become, and elements that vary between them. A further header
is held against the pattern run by run and converts the varying elements only. A run turns out
to vary where a header differs from it; a header of another build begins a pattern of its own.
"""

import functools
import itertools
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.dicom.header import Element, explicit, spans
from apps.dicom.json import Reader

PATTERNS = 4  # kept at a time: localizers among slices, two echoes in turn
REMEMBERED = 1000  # values of an attribute
# What later elements are read by. Where it differs, everything may.
_GOVERNING = frozenset({0x00080005, 0x00280103})
_NEEDED = frozenset({0x0020000D, 0x0020000E})
# Texts that are the same in JSON, whatever the character set.
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_DECIMAL = re.compile(rb" *[+-]?\d{1,15}(?:\.\d{1,15})? *")
_INTEGER = re.compile(rb" *[+-]?\d{1,15} *")
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


class UnlikeError(ValueError):
    """A header that no pattern can be made of: it has to be converted by itself."""


@dataclass(frozen=True)
class Kind:
    """What headers of one pattern have in common beside their bytes.

    `added`: attributes that are not in the header, by tag, as JSON text. `emptied`: top-level
    values that were left in the file, with their VR.
    """

    transfer_syntax_uid: str
    emptied: tuple[tuple[int, str], ...] = ()
    added: tuple[tuple[int, bytes], ...] = ()


Quick = Callable[[bytes], bytes | None]  # JSON of the values of an element; None: ask the reader


@dataclass(slots=True)
class _Varying:
    """An element of which only the tag, and its VR where it says one, is the same."""

    raw: bytes  # what is the same
    tag: int
    quick: Quick | None
    front: bytes  # of its text
    known: dict[bytes, bytes] = field(default_factory=dict)  # values seen: their text


@dataclass(slots=True)
class _Run:
    """Elements that were the same so far: their bytes and their text, each and together.

    `around`: the text of the only element, in pieces between which the address belongs.
    """

    parts: list[tuple[int, bytes, bytes]]
    around: list[bytes]
    raw: bytes = b""
    text: bytes = b""
    length: int = 0

    def __post_init__(self) -> None:
        self.raw = b"".join(raw for _, raw, _ in self.parts)
        self.text = b"".join(text for _, _, text in self.parts)
        self.length = len(self.raw)


class AlikeHeaders:
    """Writes headers one after the other, for as long as it lives."""

    def __init__(self) -> None:
        # Nobody can know it beforehand and write it into a header.
        self._mark = secrets.token_hex(8)
        self._patterns: dict[Kind, list[_Pattern]] = {}

    def write(self, data: bytes, kind: Kind, address: str) -> bytes:
        """A header as one JSON object; bulk data are at `{address}/bulkdata/{path}`.

        Raises UnlikeError, WalkError, struct.error.
        """
        try:
            return self._write(data, kind, address.encode())
        except IndexError:
            raise UnlikeError("a header that ends within an element") from None

    def _write(self, data: bytes, kind: Kind, address: bytes) -> bytes:
        patterns = self._patterns.setdefault(kind, [])
        for number, pattern in enumerate(patterns):
            made = pattern.write(data, address)
            if made is not None:
                if number:
                    patterns.insert(0, patterns.pop(number))
                return made
        pattern = _Pattern(data, kind, self._mark)
        patterns.insert(0, pattern)
        del patterns[PATTERNS:]
        made = pattern.write(data, address)
        if made is None:
            raise UnlikeError("a header that does not fit its own pattern")
        return made

    def bulk(self, path: str) -> str:
        """The address of a bulk data path in a text of `Kind.added`."""
        return bulk_address(self._mark, path)


def bulk_address(address: str, path: str) -> str:
    return f"{address}/bulkdata/{path}"


class _Pattern:
    def __init__(self, data: bytes, kind: Kind, mark: str) -> None:
        self._explicit = explicit(kind.transfer_syntax_uid)
        self._mark = mark.encode()
        self._bulk_uri = functools.partial(bulk_address, mark)
        self._reader = Reader(data, explicit_vr=self._explicit, bulk_uri=self._bulk_uri)
        self._steps: list[_Run | _Varying] = self._runs(self._parts(data, kind))

    def write(self, data: bytes, address: bytes) -> bytes | None:
        """The JSON object; None where this header is built in another way."""
        while True:
            made, position = [b"{"], 0
            for number, step in enumerate(self._steps):
                if not data.startswith(step.raw, position):
                    if isinstance(step, _Run) and self._split(number, step, data, position):
                        break  # begin anew with what was learned
                    return None
                if isinstance(step, _Run):
                    position += step.length
                    made.append(address.join(step.around) if step.around else step.text)
                    continue
                # What stands here for each varying attribute of each header: kept short.
                end = position + 8 + data[position + 6] + (data[position + 7] << 8)
                text = step.known.get(data[position + 8 : end])
                if text is None:
                    text, end = self._vary(step, data, position, end, address)
                made.append(text)
                position = end
            else:
                break
        if position != len(data):
            return None
        return b"".join(made)[:-1] + b"}"

    def _runs(self, parts: list[tuple[int, bytes, bytes]]) -> "list[_Run | _Varying]":
        """Elements that hold the mark apart, so that the address is put into few bytes."""
        grouped = itertools.groupby(parts, key=lambda part: self._mark in part[2])
        runs: list[_Run | _Varying] = []
        for marked, group in grouped:
            held = list(group)
            runs += [_Run([one], one[2].split(self._mark)) for one in held] if marked else []
            runs += [] if marked else [_Run(held, [])]
        return runs

    def _parts(self, data: bytes, kind: Kind) -> list[tuple[int, bytes, bytes]]:
        """Tag, bytes and text of all elements in order; those added have no bytes."""
        emptied = dict(kind.emptied)
        parts: list[tuple[int, bytes, bytes]] = []
        for element, end in spans(data, 0, len(data), explicit_vr=self._explicit):
            if parts and element.tag <= parts[-1][0]:
                raise UnlikeError("elements out of order")
            text = self._text(element, data)
            if element.tag in emptied:
                vr = emptied[element.tag] or self._reader.vr_of(element)
                uri = self._bulk_uri(f"{element.tag:08X}")
                text = _member(element.tag, {"vr": vr, "BulkDataURI": uri})
            parts.append((element.tag, data[element.start : end], text))
        tags = {tag for tag, _, _ in parts}
        if not tags >= _NEEDED or tags & {tag for tag, _ in kind.added}:
            raise UnlikeError("what is to be added is there, or what is needed is not")
        added = [(tag, b"", b'"%08X":%b,' % (tag, text)) for tag, text in kind.added]
        return sorted([*parts, *added], key=lambda part: part[0])

    def _split(self, number: int, run: _Run, data: bytes, position: int) -> bool:
        """Let the first element that differs vary; False where it is not the same attribute."""
        if run.around:
            return False
        index = 0
        while data.startswith(run.parts[index][1], position):
            position += len(run.parts[index][1])
            index += 1
        tag, raw, _ = run.parts[index]
        head = raw[: 6 if self._explicit else 4]
        if _governs(tag) or not data.startswith(head, position):
            return False
        quick = _QUICK.get(head[4:]) if tag & 0xFFFF else None
        varying = _Varying(head, tag, quick, b'"%08X":{"vr":"%b","Value":[' % (tag, head[4:]))
        around = [run.parts[:index], run.parts[index + 1 :]]
        before, after = ([_Run(parts, [])] if parts else [] for parts in around)
        self._steps[number : number + 1] = [*before, varying, *after]
        return True

    def _vary(
        self, step: _Varying, data: bytes, position: int, end: int, address: bytes
    ) -> tuple[bytes, int]:
        """The text of a varying element, and where it ends; `end` holds for short ones."""
        if step.quick and end <= len(data):
            raw = data[position + 8 : end]
            if values := step.quick(raw):
                text = step.front + values + b"]},"
                if len(step.known) < REMEMBERED:
                    step.known[raw] = text
                return text, end
        element, end = next(spans(data, position, len(data), explicit_vr=self._explicit))
        self._reader.buffer = data
        return self._text(element, data).replace(self._mark, address), end

    def _text(self, element: Element, data: bytes) -> bytes:
        """An attribute as a member of the object; PS3.18 F.2.2: no group lengths."""
        if not element.tag & 0xFFFF:
            return b""
        return _member(element.tag, self._reader.read(element, len(data)))


def _governs(tag: int) -> bool:
    is_creator = tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF
    return tag in _GOVERNING or bool(is_creator)


def _member(tag: int, made: dict[str, Any]) -> bytes:
    return b'"%08X":%b,' % (tag, orjson.dumps(made))


def _quick_text(raw: bytes) -> bytes | None:
    value = raw.rstrip(b" \0")
    return b'"%b"' % value if value and _PLAIN.fullmatch(value) else None


def _quick_uid(raw: bytes) -> bytes | None:
    value = raw.strip(b" \0")
    return b'"%b"' % value if value and _PLAIN.fullmatch(value) else None


def _quick_decimals(raw: bytes) -> bytes | None:
    texts = raw.rstrip(b" \0").split(b"\\")
    if all(map(_DECIMAL.fullmatch, texts)):
        return orjson.dumps([float(one) for one in texts])[1:-1]
    return None


def _quick_integers(raw: bytes) -> bytes | None:
    texts = raw.rstrip(b" \0").split(b"\\")
    if all(map(_INTEGER.fullmatch, texts)):
        return orjson.dumps([int(one) for one in texts])[1:-1]
    return None


# The most usual values; each gives what the reader would (a test compares them).
_QUICK: dict[bytes, Quick] = {
    **dict.fromkeys((b"AE", b"AS", b"DA", b"DT", b"LO", b"SH", b"TM"), _quick_text),
    b"UI": _quick_uid,
    b"DS": _quick_decimals,
    b"IS": _quick_integers,
}
