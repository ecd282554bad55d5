"""The Native DICOM Model as XML (PS3.19 A.1), read into DICOM JSON."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from apps.dicom.header import MAX_DEPTH
from apps.dicom.json import JsonDataset
from apps.dicom.native_xml import NAMESPACE

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_VR = re.compile(r"[A-Z]{2}")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_DECIMALS = frozenset({"DS", "FD", "FL"})


class XmlError(ValueError):
    """No document of the Native DICOM Model; the message says why."""


def read_native_xml(document: bytes) -> JsonDataset:
    """One document as a data set in DICOM JSON; raises XmlError.

    Neither entities nor external documents are read. Private attributes without a block of
    their own (A.1.5) get the first one that is free.
    """
    try:
        root = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise XmlError(f"not well-formed XML ({type(error).__name__})") from None
    if _name(root) != "NativeDicomModel":
        raise XmlError("no NativeDicomModel")
    return _dataset(root, 0)


def _name(element: Element) -> str:
    space = f"{{{NAMESPACE}}}"
    return element.tag.removeprefix(space) if isinstance(element.tag, str) else ""


def _dataset(parent: Element, depth: int) -> JsonDataset:
    if depth > MAX_DEPTH:
        raise XmlError("sequences within sequences without end")
    made: JsonDataset = {}
    for one in parent:
        if _name(one) != "DicomAttribute":
            raise XmlError("something else where a DicomAttribute should be")
        tag, vr = one.get("tag", ""), one.get("vr", "")
        if not _TAG.fullmatch(tag) or not _VR.fullmatch(vr):
            raise XmlError("a DicomAttribute without a tag of eight digits or a VR")
        placed = _placed(tag.upper(), one.get("privateCreator", ""), made)
        made[placed] = _attribute(vr, one, depth)
    return made


def _placed(tag: str, creator: str, made: JsonDataset) -> str:
    """A private attribute with its block: the one its creator has reserved, or a new one."""
    if not creator or tag[4:6] != "00":
        return tag
    for block in range(0x10, 0x100):
        name = f"{tag[:4]}00{block:02X}"
        known = made.setdefault(name, {"vr": "LO", "Value": [creator]})
        if known.get("Value") == [creator]:
            return f"{tag[:4]}{block:02X}{tag[6:]}"
    raise XmlError("more private creators than a group has blocks")


def _attribute(vr: str, element: Element, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"vr": vr}
    for one in element:
        match _name(one):
            case "BulkData":
                made["BulkDataURI"] = one.get("uri") or one.get("uuid", "")
            case "InlineBinary":
                made["InlineBinary"] = "".join((one.text or "").split())
            case "Value" | "Item" | "PersonName" as kind:
                _put(made.setdefault("Value", []), one, _READERS[kind](vr, one, depth))
            case _:
                raise XmlError("something unknown in a DicomAttribute")
    return made


def _put(values: list[Any], element: Element, value: Any) -> None:
    """At its number, counted from 1; values that are left out are empty."""
    number = element.get("number", str(len(values) + 1))
    if not number.isdecimal() or not len(values) < int(number) <= len(values) + 65536:
        raise XmlError("values that are not numbered upwards")
    values += [None] * (int(number) - len(values) - 1)
    values.append(value)


def _value(vr: str, element: Element, _depth: int) -> Any:
    text = element.text or ""
    try:
        if vr in _INTEGERS:
            return int(text)
        return float(text) if vr in _DECIMALS else text
    except ValueError:
        raise XmlError(f"a {vr} that is no number") from None


def _item(_vr: str, element: Element, depth: int) -> JsonDataset:
    return _dataset(element, depth + 1)


def _person_name(_vr: str, element: Element, _depth: int) -> dict[str, str]:
    groups = {_name(one): one for one in element}
    return {name: _group(groups[name]) for name in _GROUPS if name in groups}


def _group(element: Element) -> str:
    parts = {_name(one): one.text or "" for one in element}
    return "^".join(parts.get(name, "") for name in _COMPONENTS).rstrip("^")


_READERS: dict[str, Callable[[str, Element, int], Any]] = {
    "Value": _value,
    "Item": _item,
    "PersonName": _person_name,
}
