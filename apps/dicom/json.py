"""The DICOM JSON Model (PS3.18 annex F), made from raw header bytes without a dataset.

Large and private binary values become BulkDataURI; `bulk_uri` gives the address for a path
such as `54000100/0/54001010` (tag, item number, tag).
"""

import base64
import math
import struct
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom.charset import decode_bytes
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.valuerep import TEXT_VR_DELIMS

from apps.dicom.charsets import python_encodings
from apps.dicom.deflated import Buffer
from apps.dicom.header import MAX_DEPTH, Element, elements, inside, items

JsonDataset = dict[str, Any]

PUBLIC_INLINE_BYTES = 16 * 1024
PRIVATE_INLINE_BYTES = 64
# Encapsulated documents, however small: a viewer shows what has an address in a frame of it.
_POINTED_TO = frozenset({0x00420011})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SINGLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
_CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_NUMBERS = {
    "FD": "d",
    "FL": "f",
    "SL": "l",
    "SS": "h",
    "SV": "q",
    "UL": "L",
    "US": "H",
    "UV": "Q",
}
# What the reading of later elements depends on: character set and signedness.
_GOVERNING = frozenset({0x00080005, 0x00280103})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass
class _Level:
    """What the elements of one level need to know to be read."""

    buffer: Buffer
    explicit_vr: bool
    bulk_uri: Callable[[str], str]
    encodings: list[str]
    signed: bool = False
    path: str = ""
    creators: dict[int, str] = field(default_factory=dict)


def to_json(
    data: Buffer,
    *,
    explicit_vr: bool,
    bulk_uri: Callable[[str], str],
    bulk_tags: Mapping[int, str] | None = None,
    only: Container[int] | None = None,
) -> JsonDataset:
    """A little-endian data set as DICOM JSON; `bulk_tags` are emptied top-level values with VR.

    `only`: the public attributes of the top level that are wanted, where that is not all.
    """
    level = _Level(data, explicit_vr, bulk_uri, python_encodings(""))
    made = _dataset(level, 0, len(data), only)
    for tag, vr in (bulk_tags or {}).items():
        name = f"{tag:08X}"
        if only is not None and tag not in only:
            continue
        made[name] = {"vr": vr or _known_vr(tag, level), "BulkDataURI": bulk_uri(name)}
    return made


class Reader:
    """Reads elements of the top level one by one, in their order.

    `buffer` may be replaced by that of another header in which what governs the reading
    (character set, signedness, private creators) is the same.
    """

    def __init__(
        self, buffer: Buffer, *, explicit_vr: bool, bulk_uri: Callable[[str], str]
    ) -> None:
        self._level = _Level(buffer, explicit_vr, bulk_uri, python_encodings(""))

    @property
    def buffer(self) -> Buffer:
        return self._level.buffer

    @buffer.setter
    def buffer(self, buffer: Buffer) -> None:
        self._level.buffer = buffer

    def read(self, element: Element, end: int) -> dict[str, Any]:
        return _element(self._level, element, end)

    def vr_of(self, element: Element) -> str:
        return element.vr.decode() or _known_vr(element.tag, self._level)


def find_value(data: Buffer, path: str, *, explicit_vr: bool) -> tuple[str, bytes] | None:
    """VR and bytes of the value at a bulk data path; None where there is none."""
    start, end = 0, len(data)
    steps = path.split("/")
    for name, number in zip(steps[0::2], [*steps[1::2], None], strict=False):
        element = next(
            (
                one
                for one in elements(data, start, end, explicit_vr=explicit_vr)
                if f"{one.tag:08X}" == name.upper()
            ),
            None,
        )
        if element is None:
            return None
        if number is None:
            return element.vr.decode() or "UN", bytes(
                data[element.offset : element.offset + element.length]
            )
        found = list(items(data, element, end, explicit_vr=inside(element, explicit_vr)))
        if not number.isdecimal() or int(number) >= len(found):
            return None
        start, end = found[int(number)]
        explicit_vr = inside(element, explicit_vr)
    return None


def _dataset(
    level: _Level, start: int, end: int, only: Container[int] | None = None
) -> JsonDataset:
    made: JsonDataset = {}
    for element in elements(level.buffer, start, end, explicit_vr=level.explicit_vr):
        if only is not None and element.tag not in only and element.tag not in _GOVERNING:
            continue
        # PS3.18 F.2.2: no group lengths.
        if element.tag & 0xFFFF:
            made[f"{element.tag:08X}"] = _element(level, element, end)
    return made


def _element(level: _Level, element: Element, end: int) -> dict[str, Any]:
    vr = element.vr.decode()
    if vr in ("", "UN"):
        vr = _known_vr(element.tag, level)
    if vr == "SQ" or element.length == 0xFFFFFFFF:
        return {"vr": "SQ", "Value": _sequence(level, element, end)}
    raw = bytes(level.buffer[element.offset : element.offset + element.length])
    _learn(level, element.tag, raw)
    if not raw:
        return {"vr": vr}
    if vr in _BINARY:
        return _binary(level, element.tag, vr, raw)
    values = _values(vr, raw, level)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _sequence(level: _Level, element: Element, end: int) -> list[JsonDataset]:
    explicit_vr = inside(element, level.explicit_vr)
    made: list[JsonDataset] = []
    if level.path.count("/") > 2 * MAX_DEPTH:
        return made  # nobody nests so deeply but to do harm
    spans = items(level.buffer, element, end, explicit_vr=explicit_vr)
    for number, (start, stop) in enumerate(spans):
        inner = _Level(
            level.buffer,
            explicit_vr,
            level.bulk_uri,
            level.encodings,
            level.signed,
            f"{level.path}{element.tag:08X}/{number}/",
        )
        made.append(_dataset(inner, start, stop))
    return made


def _learn(level: _Level, tag: int, raw: bytes) -> None:
    """Notice what later elements depend on."""
    if tag == 0x00080005:
        level.encodings = python_encodings(raw.decode("ascii", "replace").strip(" \0"))
    elif tag == 0x00280103:
        level.signed = raw[:1] == b"\1"
    elif tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
        level.creators[tag & 0xFFFF0000 | (tag & 0xFF) << 8] = raw.decode("latin-1").strip(" \0")


def _binary(level: _Level, tag: int, vr: str, raw: bytes) -> dict[str, Any]:
    limit = PRIVATE_INLINE_BYTES if tag >> 16 & 1 else PUBLIC_INLINE_BYTES
    if len(raw) > limit or tag in _POINTED_TO:
        return {"vr": vr, "BulkDataURI": level.bulk_uri(f"{level.path}{tag:08X}")}
    return {"vr": vr, "InlineBinary": base64.b64encode(raw).decode("ascii")}


def _values(vr: str, raw: bytes, level: _Level) -> list[Any]:
    if vr in _NUMBERS:
        return _numbers(_NUMBERS[vr], raw)
    if vr == "AT":
        pairs = struct.unpack_from(f"<{len(raw) // 4 * 2}H", raw)
        return [f"{a:04X}{b:04X}" for a, b in zip(pairs[0::2], pairs[1::2], strict=True)]
    text = _text(vr, raw, level.encodings)
    parts = [text] if vr in _SINGLE_TEXT else text.split("\\")
    if vr in ("DS", "IS"):
        return _trimmed([_number(vr, part.strip()) for part in parts])
    if vr == "PN":
        return _trimmed([_person_name(part) for part in parts])
    return _trimmed([part.strip(" \0") if vr == "UI" else part.rstrip(" \0") for part in parts])


def _text(vr: str, raw: bytes, encodings: list[str]) -> str:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii").rstrip(" \0")
    if vr not in _CHARSET_VRS:
        return raw.decode("latin-1").rstrip(" \0")
    try:
        return str(decode_bytes(raw, encodings, TEXT_VR_DELIMS)).rstrip(" \0")
    except (LookupError, ValueError, UserWarning):
        return raw.decode("latin-1").rstrip(" \0")


def _trimmed(values: list[Any]) -> list[Any]:
    """PS3.18 F.2.5: an empty value among others is null; nothing but empty is no value."""
    return [None if one == "" else one for one in values] if any(v != "" for v in values) else []


def _numbers(code: str, raw: bytes) -> list[Any]:
    count = len(raw) // struct.calcsize(f"<{code}")
    numbers = struct.unpack_from(f"<{count}{code}", raw)
    # JSON has no NaN and no infinity.
    return [None if isinstance(n, float) and not math.isfinite(n) else n for n in numbers]


def _number(vr: str, text: str) -> float | int | str:
    try:
        number = float(text) if vr == "DS" else int(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _person_name(text: str) -> dict[str, str] | str:
    groups = [group.rstrip(" ") for group in text.split("=")[:3]]
    return {name: group for name, group in zip(_GROUPS, groups, strict=False) if group} or ""


def _known_vr(tag: int, level: _Level) -> str:
    """The VR of an implicit or UN element from the dictionaries."""
    if tag >> 16 & 1:
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return "LO"
        creator = level.creators.get(tag & 0xFFFFFF00, "")
        return _private_vr(tag, creator) if creator else "UN"
    vr = _public_vr(tag)
    if vr == "US or SS":
        return "SS" if level.signed else "US"
    return "OW" if " or " in vr else vr


@lru_cache(maxsize=4096)
def _public_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UL" if tag & 0xFFFF == 0 else "UN"


@lru_cache(maxsize=4096)
def _private_vr(tag: int, creator: str) -> str:
    try:
        return private_dictionary_VR(tag, creator).split(" or ")[0]
    except KeyError:
        return "UN"
