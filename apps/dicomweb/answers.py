"""Rows of the index as the DICOM JSON of a QIDO-RS answer (PS3.18 10.6.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.dicom.json import JsonDataset
from apps.dicom.projecting import Wanted, project
from apps.dicomweb.queries import Query
from apps.studies.datasets import (
    CLASSES_IN_STUDY,
    PATIENT_COUNTS,
    Level,
    attributes,
    below,
)
from apps.studies.services.finding import Row, Shown

Answer = JsonDataset

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018
_ROWS, _FRAMES = 0x00280010, "00280008"
_UIDS = {
    Level.STUDY: (_STUDY,),
    Level.SERIES: (_STUDY, _SERIES),
    Level.IMAGE: (_STUDY, _SERIES, _INSTANCE),
}
# A study has many of these: no instance speaks for it.
_NEVER_FROM_BELOW = frozenset({_SERIES, _INSTANCE, 0x00080060, 0x00201209})
# Every answer says this of itself.
_CONSTANT: Answer = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00080056": {"vr": "CS", "Value": ["ONLINE"]},
}
_ADDRESS = "00081190"
_SPOKEN = frozenset({0x00080005, 0x00080056, 0x00081190})


def study_address(root: str, study: str) -> str:
    return f"{root}/studies/{study}"


def series_address(root: str, study: str, series: str) -> str:
    return f"{root}/studies/{study}/series/{series}"


def instance_address(root: str, study: str, series: str, instance: str) -> str:
    return f"{root}/studies/{study}/series/{series}/instances/{instance}"


_ADDRESSES: dict[Level, Callable[..., str]] = {
    Level.STUDY: study_address,
    Level.SERIES: series_address,
    Level.IMAGE: instance_address,
}


def indexed_tags(query: Query) -> list[int]:
    """The attributes that the index answers: all it has, and what it counts where asked."""
    asked = {one.tag for one in query.wanted}
    counted = {*PATIENT_COUNTS, CLASSES_IN_STUDY}
    return [*attributes(query.level), *(counted if query.everything else counted & asked)]


def stored_fields(query: Query) -> list[Wanted]:
    """The attributes that only stored headers can answer, in the order of their tags."""
    never = {*attributes(query.level), *PATIENT_COUNTS, CLASSES_IN_STUDY, *_SPOKEN}
    never |= below(query.level) & _NEVER_FROM_BELOW
    return [one for one in query.wanted if one.tag not in never]


@dataclass(frozen=True)
class _Cell:
    """One attribute of every answer, from its place in the row."""

    name: str
    place: int
    write: Callable[[Any], dict[str, Any]]


class Answers:
    """Makes the answers to one query; prepared once, as there may be a thousand."""

    def __init__(self, query: Query, shown: Sequence[Shown], root: str) -> None:
        self._root, self._level = root, query.level
        self._fields = stored_fields(query)
        self._hidden = [f"{tag:08X}" for tag in below(query.level)]
        self._everything = query.everything
        places = {one.tag: one.place for one in shown}
        self._uids = [places[tag] for tag in _UIDS[query.level]]
        self._rows = places.get(_ROWS)
        self._cells = [_Cell(f"{one.tag:08X}", one.place, _writer(one)) for one in shown]

    def make(self, row: Row, header: JsonDataset) -> Answer:
        """The answer of one row, with what was asked for of a stored header."""
        address = _ADDRESSES[self._level](self._root, *[row[place] for place in self._uids])
        made = dict(_CONSTANT)
        made[_ADDRESS] = {"vr": "UR", "Value": [address]}
        for cell in self._cells:
            made[cell.name] = cell.write(row[cell.place])
        if self._rows is not None and not row[self._rows]:
            made[_FRAMES] = {"vr": "IS"}  # no pixels, no frames
        return self._completed(made, header) if header else made

    def _completed(self, made: Answer, header: JsonDataset) -> Answer:
        stored: Answer = {}
        if self._everything:
            stored = {name: one for name, one in header.items() if name not in self._hidden}
        stored |= {f"{one.tag:08X}": project(one, header) for one in self._fields}
        return dict(sorted({**stored, **made}.items()))


def _writer(one: Shown) -> Callable[[Any], dict[str, Any]]:
    """How a value of the index becomes an element; without a value it has its VR alone."""
    vr, text = one.attribute.vr, one.attribute.text
    empty, values = {"vr": vr}, _VALUES.get(vr, _single)

    def write(value: Any) -> dict[str, Any]:
        said = text(value)
        return {"vr": vr, "Value": values(said)} if said else empty

    return write


def _single(text: str) -> list[Any]:
    return [text]


def _several(text: str) -> list[Any]:
    return text.split("\\")


def _numbers(text: str) -> list[Any]:
    return [int(text)]


def _person_name(name: str) -> list[Any]:
    groups = zip(_GROUPS, name.split("="), strict=False)
    return [{group: text for group, text in groups if text}]


_VALUES: dict[str, Callable[[str], list[Any]]] = {
    "CS": _several,
    "UI": _several,  # of SOP Classes in Study
    "IS": _numbers,
    "US": _numbers,
    "PN": _person_name,
}
