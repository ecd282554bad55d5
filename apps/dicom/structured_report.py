"""The content of structured reports as a tree of words (PS3.3 C.17, C.18)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from apps.dicom.dates import parse_date, parse_time

MOST_ITEMS = 20_000
_DEEPEST = 64
_MOST_POINTS = 8  # of a figure that are written out
_SHOWN_UNITS = "UCUM"
# Relationships that read as part of what they belong to; others are named (PS3.3 table C.17.3-8).
RELATIONS = {
    "HAS OBS CONTEXT": "context",
    "HAS CONCEPT MOD": "modifier",
    "HAS ACQ CONTEXT": "acquisition",
    "INFERRED FROM": "inferred",
    "SELECTED FROM": "selected",
}


class TooLongError(ValueError):
    """A report of more items than anybody can read."""


@dataclass
class Item:
    """One content item. `place` is its number in the tree (PS3.3 C.17.3.2.5), such as `1.2.1`.

    `code` is the value of its concept's code; `images` are the objects an IMAGE names, each
    with the first frame that is meant.
    """

    place: str
    kind: str
    relation: str
    name: str
    value: str
    refers_to: str = ""  # the place of another item of this report
    children: "list[Item]" = field(default_factory=list)
    code: str = ""
    images: list[tuple[str, int]] = field(default_factory=list)

    def everything(self) -> "Iterator[Item]":
        """All items below this one, in reading order."""
        for child in self.children:
            yield child
            yield from child.everything()


def content_of(dataset: Dataset) -> Item:
    """The root of a report; raises TooLongError, and what pydicom raises of damaged values."""
    count = iter(range(MOST_ITEMS))
    return _item(dataset, "1", count, 0)


def _item(dataset: Dataset, place: str, count: Iterator[int], depth: int) -> Item:
    if next(count, None) is None or depth > _DEEPEST:
        raise TooLongError
    kind = str(dataset.get("ValueType") or "")
    referred = dataset.get("ReferencedContentItemIdentifier")
    children = dataset.get("ContentSequence") or []
    return Item(
        place=place,
        kind=kind,
        relation=RELATIONS.get(str(dataset.get("RelationshipType") or ""), ""),
        name=meaning(dataset.get("ConceptNameCodeSequence")),
        value=_VALUES.get(kind, _nothing)(dataset),
        refers_to=".".join(map(str, _list(referred))) if referred else "",
        children=[
            _item(one, f"{place}.{index}", count, depth + 1)
            for index, one in enumerate(children, start=1)
        ],
        code=_code_value(dataset.get("ConceptNameCodeSequence")),
        images=_named_images(dataset) if kind == "IMAGE" else [],
    )


def meaning(codes: Any) -> str:
    """What a code says to people."""
    if not codes:
        return ""
    code = codes[0]
    for name in ("CodeMeaning", "CodeValue", "LongCodeValue", "URNCodeValue"):
        if text := code.get(name):
            return str(text)
    return ""


def _code_value(codes: Any) -> str:
    return str(codes[0].get("CodeValue") or "").strip() if codes else ""


def _named_images(dataset: Dataset) -> list[tuple[str, int]]:
    return [
        (str(one.get("ReferencedSOPInstanceUID") or ""), _first_frame(one))
        for one in dataset.get("ReferencedSOPSequence") or []
    ]


def _first_frame(reference: Dataset) -> int:
    frames = _list(reference.get("ReferencedFrameNumber"))
    return int(frames[0]) if frames else 1


def person(value: Any) -> str:
    """A person's name for reading: its groups, each without carets."""
    groups = (" ".join(group.replace("^", " ").split()) for group in str(value or "").split("="))
    return " / ".join(group for group in groups if group)


def readable_date(text: str) -> str:
    """A DA in the order of ISO 8601; one that is none as it is."""
    day = parse_date(text)
    return day.isoformat() if day else text


def readable_time(text: str) -> str:
    """A TM to the second; one that is none as it is."""
    moment = parse_time(text)
    return moment.isoformat("seconds") if moment else text


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, int, float)) else list(value)


def _nothing(_dataset: Dataset) -> str:
    return ""


def _text(dataset: Dataset) -> str:
    return str(dataset.get("TextValue") or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def _code(dataset: Dataset) -> str:
    return meaning(dataset.get("ConceptCodeSequence"))


def _number(dataset: Dataset) -> str:
    """The value with its unit, or why there is none (PS3.3 C.18.1)."""
    measured = dataset.get("MeasuredValueSequence")
    qualifier = meaning(dataset.get("NumericValueQualifierCodeSequence"))
    if not measured:
        return qualifier
    value = " / ".join(str(one) for one in _list(measured[0].get("NumericValue")))
    parts = (value, _unit(measured[0]), f"({qualifier})" if qualifier else "")
    return " ".join(part for part in parts if part)


def _unit(measured: Dataset) -> str:
    units = measured.get("MeasurementUnitsCodeSequence")
    if not units:
        return ""
    symbol = str(units[0].get("CodeValue") or "")
    if units[0].get("CodingSchemeDesignator") != _SHOWN_UNITS or not symbol:
        return meaning(units)
    # Of UCUM the symbols are what people know, but for `1` and remarks in braces.
    if symbol == "1":
        return ""
    return meaning(units) if "{" in symbol or "[" in symbol else symbol


def _date_time(dataset: Dataset) -> str:
    """Without the offset from UTC: the place where it was written knows it."""
    text = re.split(r"[+-]", str(dataset.get("DateTime") or ""), maxsplit=1)[0]
    return f"{readable_date(text[:8])} {readable_time(text[8:])}".strip()


def _image(dataset: Dataset) -> str:
    """Which object, which frames of it, which segments."""
    words = [_referenced(dataset)]
    for item in dataset.get("ReferencedSOPSequence") or []:
        for label, name in (
            ("frame", "ReferencedFrameNumber"),
            ("segment", "ReferencedSegmentNumber"),
        ):
            if numbers := _list(item.get(name)):
                words.append(f"{label} {', '.join(map(str, numbers))}")
    return ", ".join(word for word in words if word)


def _referenced(dataset: Dataset) -> str:
    found = []
    for item in dataset.get("ReferencedSOPSequence") or []:
        kind = UID(str(item.get("ReferencedSOPClassUID") or "")).name.removesuffix(" Storage")
        found.append(f"{kind} {item.get('ReferencedSOPInstanceUID') or ''}".strip())
    return ", ".join(found)


def _figure(dataset: Dataset) -> str:
    kind = str(dataset.get("GraphicType") or "").lower()
    width = 3 if dataset.get("ValueType") == "SCOORD3D" else 2
    values = [f"{float(one):g}" for one in _list(dataset.get("GraphicData"))]
    points = [f"({', '.join(values[at : at + width])})" for at in range(0, len(values), width)]
    more = ["…"] if len(points) > _MOST_POINTS else []
    return " ".join([kind, *points[:_MOST_POINTS], *more]).strip()


def _times(dataset: Dataset) -> str:
    kind = str(dataset.get("TemporalRangeType") or "").lower()
    names = ("ReferencedSamplePositions", "ReferencedTimeOffsets", "ReferencedDateTime")
    values = [str(one) for name in names for one in _list(dataset.get(name))]
    return " ".join([kind, ", ".join(values[: 2 * _MOST_POINTS])]).strip()


_VALUES = {
    "TEXT": _text,
    "CODE": _code,
    "NUM": _number,
    "DATETIME": _date_time,
    "DATE": lambda dataset: readable_date(str(dataset.get("Date") or "")),
    "TIME": lambda dataset: readable_time(str(dataset.get("Time") or "")),
    "UIDREF": lambda dataset: str(dataset.get("UID") or ""),
    "PNAME": lambda dataset: person(dataset.get("PersonName")),
    "COMPOSITE": _referenced,
    "IMAGE": _image,
    "WAVEFORM": _referenced,
    "SCOORD": _figure,
    "SCOORD3D": _figure,
    "TCOORD": _times,
}
