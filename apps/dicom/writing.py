"""Data elements as little-endian bytes, without building a dataset (PS3.5 section 7.1).

For answers to queries, of which there are thousands: values are text or DICOM JSON, and what
stands in damaged headers is passed on as it is, not judged.
"""

import base64
import struct
from collections.abc import Callable
from typing import Any

from apps.dicom.json import JsonDataset

# Text of a VR as bytes, in the character set of the answer; may raise UnicodeEncodeError.
WriteText = Callable[[str, str], bytes]

_LONG_VRS = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)
_NUMBERS = {"FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q"}
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SHORT, _LONG = struct.Struct("<H"), struct.Struct("<L")
_TAG = struct.Struct("<HH")
_LONGEST_SHORT = 0xFFFE
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def padding(vr: str) -> bytes:
    """What makes a value of odd length even: NUL for UIDs and binary, a space for text."""
    return b"\0" if vr == "UI" or vr in _BINARY else b" "


def beginning(tag: int, vr: str, *, explicit_vr: bool) -> tuple[bytes, Callable[[int], bytes]]:
    """The bytes before the length of an element, and what writes the length."""
    start = _TAG.pack(tag >> 16, tag & 0xFFFF)
    if not explicit_vr:
        return start, _LONG.pack
    if vr in _LONG_VRS:
        return start + vr.encode() + b"\0\0", _LONG.pack
    return start + vr.encode(), _SHORT.pack


def element(tag: int, vr: str, raw: bytes, *, explicit_vr: bool) -> bytes:
    """One element; a value too long for its VR is left empty."""
    start, length = beginning(tag, vr, explicit_vr=explicit_vr)
    if length == _SHORT.pack and len(raw) > _LONGEST_SHORT:
        raw = b""
    if len(raw) % 2:
        raw += padding(vr)
    return start + length(len(raw)) + raw


def json_element(
    tag: int, found: dict[str, Any], *, explicit_vr: bool, write_text: WriteText
) -> bytes:
    """One element of a DICOM JSON data set; bulk data that is only referred to stays empty."""
    vr = found["vr"]
    if vr == "SQ":
        made = [
            _item(item, explicit_vr=explicit_vr, write_text=write_text)
            for item in found.get("Value", [])
        ]
        raw = b"".join(made)
    else:
        raw = _raw(vr, found, write_text)
    return element(tag, vr, raw, explicit_vr=explicit_vr)


def _item(item: JsonDataset, *, explicit_vr: bool, write_text: WriteText) -> bytes:
    raw = b"".join(
        json_element(int(tag, 16), item[tag], explicit_vr=explicit_vr, write_text=write_text)
        for tag in sorted(item)
    )
    return _TAG.pack(0xFFFE, 0xE000) + _LONG.pack(len(raw)) + raw


def _raw(vr: str, found: dict[str, Any], write_text: WriteText) -> bytes:
    if "InlineBinary" in found:
        return base64.b64decode(found["InlineBinary"])
    values = [one for one in found.get("Value", []) if one is not None]
    if vr in _NUMBERS:
        return struct.pack(f"<{len(values)}{_NUMBERS[vr]}", *values)
    if vr == "AT":
        return b"".join(_TAG.pack(int(one[:4], 16), int(one[4:], 16)) for one in values)
    return write_text(vr, "\\".join(value_text(one) for one in values))


def value_text(value: Any) -> str:
    """One value of DICOM JSON as the text of an element."""
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
