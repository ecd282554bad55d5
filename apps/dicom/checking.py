"""Is a data set in DICOM JSON what it says it is (PS3.18 F.2, PS3.5 6.2)? For what strangers send.

Messages name the attribute, never its value.
"""

import base64
import re
import sys
from collections.abc import Callable
from datetime import UTC
from typing import Any

from pydicom.datadict import dictionary_VR

from apps.dicom.dates import parse_date, parse_datetime, parse_time
from apps.dicom.json import JsonDataset
from apps.dicom.uids import valid_uid

MAX_DEPTH = 8
MAX_ELEMENTS = 20_000
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_INTEGERS = frozenset({"SL", "SS", "SV", "UL", "US", "UV"})
_LONG_TEXTS = frozenset({"LT", "ST", "UT", "UC"})
# Characters of one value (PS3.5 table 6.2-1); a group of a PN has 64.
_LENGTHS = {"AE": 16, "AS": 4, "CS": 16, "LO": 64, "SH": 16, "ST": 1024, "LT": 10240}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_CODE_STRING = re.compile(r"[A-Z0-9 _]*")
_ATTRIBUTE_TAG = re.compile(r"[0-9A-Fa-f]{8}")


class UnsoundError(ValueError):
    """The data set is not sound; the message says where and why."""


def sound(found: object) -> JsonDataset:
    """The data set with its tags in upper case and in order, or UnsoundError.

    Bulk data that is only referred to is not taken: there is nowhere to fetch it from.
    """
    return _Check().dataset(found, "", 1)


class _Check:
    """One walk through a data set, which counts as it goes."""

    def __init__(self) -> None:
        self.count = 0

    def dataset(self, found: object, where: str, depth: int) -> JsonDataset:
        if not isinstance(found, dict):
            raise UnsoundError(f"{where or 'data set'}: not an object of attributes")
        if depth > MAX_DEPTH:
            raise UnsoundError(f"{where}: nested too deeply")
        self.count += len(found)
        if self.count > MAX_ELEMENTS:
            raise UnsoundError("too many attributes")
        made = {
            _tag(name): self.element(_tag(name), one, where, depth) for name, one in found.items()
        }
        return dict(sorted(made.items()))

    def element(self, tag: str, found: object, where: str, depth: int) -> dict[str, Any]:
        here = f"{where}.{tag}" if where else tag
        if not isinstance(found, dict) or not isinstance(found.get("vr"), str):
            raise UnsoundError(f"{here}: without a VR")
        vr = found["vr"]
        if vr not in _vrs(tag):
            raise UnsoundError(f"{here}: {' or '.join(sorted(_vrs(tag)))} is its VR")
        if "BulkDataURI" in found:
            raise UnsoundError(f"{here}: bulk data is not taken by reference")
        if vr in _BINARY:
            return _binary(vr, found, here)
        values = found.get("Value") or []
        if not isinstance(values, list):
            raise UnsoundError(f"{here}: its Value is not an array")
        if vr == "SQ":
            # An empty item may be written as null (PS3.18 F.2.5).
            made = [self.dataset(one or {}, here, depth + 1) for one in values]
        else:
            made = [_value(vr, one, here) for one in values]
        return {"vr": vr, "Value": made} if any(one is not None for one in made) else {"vr": vr}


def _tag(name: object) -> str:
    if not isinstance(name, str) or not _TAG.fullmatch(name):
        raise UnsoundError("an attribute is named by eight hexadecimal digits")
    tag = name.upper()
    # Groups below 0008 are those of messages and files; FFFE and FFFF delimit.
    if tag < "00080000" or tag >= "FFFE0000" or tag.endswith("0000"):
        raise UnsoundError(f"{tag}: not an attribute of a data set")
    return tag


def _vrs(tag: str) -> frozenset[str]:
    number = int(tag, 16)
    try:
        return frozenset(dictionary_VR(number).split(" or "))
    except KeyError:
        if number >> 16 & 1 and 0x10 <= number & 0xFFFF <= 0xFF:
            return frozenset({"LO"})
        return _ANY


def _binary(vr: str, found: dict[str, Any], here: str) -> dict[str, Any]:
    inline = found.get("InlineBinary")
    if inline is None:
        return {"vr": vr}
    try:
        base64.b64decode(inline, validate=True)
    except (TypeError, ValueError):
        raise UnsoundError(f"{here}: not base64") from None
    return {"vr": vr, "InlineBinary": inline}


def _value(vr: str, value: object, here: str) -> Any:
    """One value; null and empty text are no value."""
    if value is None or value == "":
        return None
    if vr == "PN":
        return _person_name(value, here)
    if vr in _NUMBERS:
        return _number(vr, value, here)
    return _text(vr, value, here)


def _person_name(value: object, here: str) -> dict[str, str] | None:
    if not isinstance(value, dict) or not set(value) <= set(_GROUPS):
        raise UnsoundError(f"{here}: a person name is an object of its groups")
    for group in value.values():
        if not isinstance(group, str) or len(group) > 64 or _CONTROL.search(group):
            raise UnsoundError(f"{here}: not a person name")
    return {name: value[name] for name in _GROUPS if value.get(name)} or None


def _number(vr: str, value: object, here: str) -> int | float:
    if isinstance(value, str) and vr in ("DS", "IS", "SV", "UV") and len(value) <= 20:
        try:
            value = float(value) if vr == "DS" else int(value)
        except ValueError:
            raise UnsoundError(f"{here}: not a number") from None
    wanted = int if vr in _INTEGERS or vr == "IS" else (int, float)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise UnsoundError(f"{here}: not a number of VR {vr}")
    low, high = _BOUNDS.get(vr, (-sys.float_info.max, sys.float_info.max))
    if not low <= value <= high:
        raise UnsoundError(f"{here}: number out of range")
    return value


def _text(vr: str, value: object, here: str) -> str:
    if not isinstance(value, str):
        raise UnsoundError(f"{here}: not a text, as VR {vr} needs")
    control = _CONTROL_IN_TEXT if vr in _LONG_TEXTS else _CONTROL
    if control.search(value) or ("\\" in value and vr not in _LONG_TEXTS | {"UR"}):
        raise UnsoundError(f"{here}: a character that VR {vr} does not have")
    if len(value) > _LENGTHS.get(vr, 65_534):
        raise UnsoundError(f"{here}: longer than VR {vr} allows")
    fits = _FITS.get(vr)
    if fits is not None and not fits(value):
        raise UnsoundError(f"{here}: not a value of VR {vr}")
    return value


_FITS: dict[str, Callable[[str], object]] = {
    "AT": _ATTRIBUTE_TAG.fullmatch,
    "CS": _CODE_STRING.fullmatch,
    "DA": lambda text: parse_date(text) is not None,
    "DT": lambda text: parse_datetime(text, zone=UTC) is not None,
    "TM": lambda text: parse_time(text) is not None,
    "UI": valid_uid,
}
_BOUNDS = {
    "IS": (-(2**31), 2**31 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "SV": (-(2**63), 2**63 - 1),
    "UL": (0, 2**32 - 1),
    "US": (0, 2**16 - 1),
    "UV": (0, 2**64 - 1),
}
_NUMBERS = _INTEGERS | {"DS", "FD", "FL", "IS"}
_ANY = _NUMBERS | _BINARY | _LONG_TEXTS | {*_FITS, *_LENGTHS, "PN", "SQ", "UR"}
