"""Attributes of an answer that are read from a stored header: what was asked for of them."""

from typing import Any

from pydicom.dataset import Dataset

from apps.dicom.json import JsonDataset
from apps.dimse.questions import Wanted


def project(wanted: Wanted, header: JsonDataset) -> dict[str, Any]:
    """One attribute as DICOM JSON; of a sequence the attributes asked for, all where none is."""
    if wanted.is_creator:
        return {"vr": "LO", "Value": [wanted.creator]}
    found: dict[str, Any] | None = header.get(f"{_stored_tag(wanted, header):08X}")
    if found is None:
        return {"vr": wanted.vr}
    if found["vr"] != "SQ" or wanted.item is None:
        return found
    items = [_item(wanted.item, one) for one in found.get("Value", [])]
    return {"vr": "SQ", "Value": items}


def _item(asked: Dataset, stored: JsonDataset) -> JsonDataset:
    made = {}
    for element in asked:
        items = element.value if element.VR == "SQ" else []
        inner = items[0] if items and len(items[0]) else None
        one = Wanted(int(element.tag), element.VR, inner)
        made[f"{element.tag:08X}"] = project(one, stored)
    return made


def _stored_tag(wanted: Wanted, header: JsonDataset) -> int:
    """Makers' blocks stand where there is room (PS3.5 7.8.1): found by who reserved them."""
    if not wanted.creator:
        return wanted.tag
    group = wanted.tag >> 16
    for block in range(0x10, 0x100):
        reserved = header.get(f"{group:04X}{block:04X}", {}).get("Value", [""])
        if reserved[0] == wanted.creator:
            return group << 16 | block << 8 | wanted.tag & 0xFF
    return wanted.tag
