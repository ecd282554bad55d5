"""Attributes of an answer that are read from a stored header: what was asked for of them."""

from dataclasses import dataclass
from typing import Any

from apps.dicom.json import JsonDataset


@dataclass(frozen=True)
class Wanted:
    """An attribute to be answered. `inner`: what is wanted of a sequence, None for all of it.

    `creator`: who reserved the block of a private attribute, as the question says.
    """

    tag: int
    vr: str
    inner: "tuple[Wanted, ...] | None" = None
    creator: str = ""

    @property
    def is_creator(self) -> bool:
        return bool(self.creator) and reserves(self.tag)


def reserves(tag: int) -> bool:
    """Is this the element by which a maker reserves a private block (PS3.5 7.8.1)?"""
    return tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF


def project(wanted: Wanted, header: JsonDataset) -> dict[str, Any]:
    """One attribute as DICOM JSON; of a sequence the attributes asked for, all where none is."""
    if wanted.is_creator:
        return {"vr": "LO", "Value": [wanted.creator]}
    found: dict[str, Any] | None = header.get(f"{_stored_tag(wanted, header):08X}")
    if found is None:
        return {"vr": wanted.vr}
    if found["vr"] != "SQ" or wanted.inner is None:
        return found
    items = [
        {f"{one.tag:08X}": project(one, item) for one in wanted.inner}
        for item in found.get("Value", [])
    ]
    return {"vr": "SQ", "Value": items}


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
