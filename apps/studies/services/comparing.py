"""Two headers side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import zstandard
from pydicom.datadict import dictionary_description

from apps.dicom.amending import text_of
from apps.dicom.header import UnreadableError, explicit, read_header
from apps.dicom.json import to_json
from apps.studies.models import Conflict
from apps.studies.services.incoming import opened
from apps.studies.storage import stored_files

LONGEST = 300  # characters of a value that are shown


@dataclass(frozen=True)
class Compared:
    """One attribute of two objects; empty text where one of them has none."""

    tag: str
    name: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        return self.first != self.second


def compared(conflict: Conflict) -> list[Compared]:
    """The attributes of the first one and of the newcomer, in the order of their tags.

    Raises OSError where the newcomer's file is gone, UnreadableError where it is damaged.
    """
    first = _of_instance(conflict)
    second = _of_newcomer(conflict)
    return [
        Compared(path.rpartition("/")[2], _name(path), first.get(path, ""), second.get(path, ""))
        for path in sorted(first.keys() | second.keys())
    ]


def _of_instance(conflict: Conflict) -> dict[str, str]:
    instance = conflict.instance
    if instance is None:
        return {}
    data = zstandard.decompress(instance.header)
    return _flat(data, instance.transfer_syntax_uid)


def _of_newcomer(conflict: Conflict) -> dict[str, str]:
    with stored_files().at_hand(conflict.file_name) as path, opened(path) as buffer:
        header = read_header(buffer)
    return _flat(header.data, header.transfer_syntax_uid)


def _flat(data: bytes, transfer_syntax_uid: str) -> dict[str, str]:
    try:
        made = to_json(data, explicit_vr=explicit(transfer_syntax_uid), bulk_uri=lambda _path: "")
    except ValueError as error:
        raise UnreadableError("its header is damaged") from error
    return {"00020010": transfer_syntax_uid, **dict(_lines(made, ""))}


def _lines(dataset: dict[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for tag, element in dataset.items():
        if element["vr"] != "SQ":
            yield above + tag, _shown(element)
            continue
        for number, item in enumerate(element.get("Value", [])):
            yield from _lines(item, f"{above}{tag}/{number}/")


def _shown(element: dict[str, Any]) -> str:
    if "InlineBinary" in element:
        return str(element["InlineBinary"])[:LONGEST]
    return text_of(element.get("Value"))[:LONGEST]


def _name(path: str) -> str:
    """`Request Attributes Sequence 1 > Requested Procedure ID`."""
    steps = path.split("/")
    words = [_description(steps[-1])]
    for tag, number in zip(steps[0:-1:2], steps[1::2], strict=True):
        words.insert(-1, f"{_description(tag)} {int(number) + 1}")
    return " > ".join(words)


def _description(tag: str) -> str:
    try:
        return dictionary_description(int(tag, 16))
    except KeyError:
        return f"({tag[:4]},{tag[4:]})"
