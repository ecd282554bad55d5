"""C-FIND identifiers of the Query/Retrieve information models as questions to the index.

PS3.4 C.4.1.2 (hierarchical queries), C.4.1.3 (relational ones), C.5 (what may be agreed).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from apps.dicom.keys import BadKeyError, Key, Matching, Terms, parse_keys
from apps.dicom.matching import tag_of
from apps.dicom.projecting import Wanted, reserves
from apps.dimse import identifiers, offers
from apps.dimse.association import Request
from apps.studies.datasets import (
    CLASSES_IN_STUDY,
    PATIENT_COUNTS,
    UNIQUE_KEYS,
    Level,
    attributes,
    below,
)

# Attributes that say something about the answer itself, not about what is stored.
LEVEL, RETRIEVE_TITLE, AVAILABILITY = 0x00080052, 0x00080054, 0x00080056
CHARACTER_SET, TIME_ZONE = 0x00080005, 0x00080201
_ABOUT = frozenset({"QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability"})
# The bytes of extended negotiation, by their place (PS3.4 table C.5-1).
_RELATIONAL, _COMBINED, _FUZZY = 0, 1, 2
_ROOTS = {offers.PATIENT_FIND: tuple(Level), offers.STUDY_FIND: tuple(Level)[1:]}


class HierarchyError(BadKeyError):
    """The identifier breaks the rules of its level; `tag` is the element at fault."""

    def __init__(self, message: str, tag: int) -> None:
        super().__init__(message)
        self.tag = tag


@dataclass(frozen=True)
class Question:
    """What a C-FIND asks for. `zone` as written in (0008,0201), `character_set` in (0008,0005).

    `leaves_open`: there are keys that we do not support for this level (status 0xFF01).
    """

    level: Level
    keys: list[Key]
    wanted: list[Wanted]
    terms: Terms
    zone: str = ""
    character_set: str = ""
    leaves_open: bool = False

    @property
    def headers(self) -> frozenset[int]:
        """Tags that only the stored headers can answer."""
        indexed = {*attributes(self.level), *below(self.level), *PATIENT_COUNTS}
        own = {LEVEL, RETRIEVE_TITLE, AVAILABILITY, CLASSES_IN_STUDY}
        return frozenset(one.tag for one in self.wanted) - indexed - own


def read_question(request: Request) -> Question:
    """The question of a C-FIND-RQ; raises BadKeyError, UnreadableError."""
    asked = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    root = request.context.abstract_syntax
    level = _level(asked, _ROOTS[root])
    keys = [key for key in parse_keys(asked) if not _is_about(key.path[0])]
    agreed = request.association.extended.get(root, b"")
    if not _agreed(agreed, _RELATIONAL):
        _check_hierarchy(level, _ROOTS[root], keys)
    zone = str(asked.get("TimezoneOffsetFromUTC", "") or "").strip()
    wanted = _wanted(asked)
    return Question(
        level=level,
        keys=keys,
        wanted=wanted,
        terms=Terms(
            fuzzy=_agreed(agreed, _FUZZY),
            combined=_agreed(agreed, _COMBINED),
            zone=parse_zone(zone),
        ),
        zone=zone if parse_zone(zone) else "",
        character_set=_joined(asked.get("SpecificCharacterSet", "")),
        leaves_open=_leaves_open(level, keys, wanted),
    )


def parse_zone(text: str) -> timezone | None:
    """Timezone Offset From UTC, `+0200`; None where absent or unreadable."""
    if len(text) != 5 or text[0] not in "+-" or not text[1:].isdecimal():
        return None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    if offset > timedelta(hours=14):
        return None
    return timezone(-offset if text[0] == "-" else offset)


def _level(asked: Dataset, levels: Sequence[Level]) -> Level:
    text = str(asked.get("QueryRetrieveLevel", "") or "").strip()
    if text not in levels:
        raise HierarchyError("Query/Retrieve Level is missing or not of this model", LEVEL)
    return Level(text)


def _check_hierarchy(level: Level, levels: Sequence[Level], keys: Sequence[Key]) -> None:
    """The unique key of every level above has a value (PS3.4 C.4.1.2.1)."""
    found = {key.name: key for key in keys}
    for one in level.above:
        name = UNIQUE_KEYS[one]
        key = found.get(name)
        if one in levels and (key is None or key.matching not in (Matching.SINGLE, Matching.LIST)):
            raise HierarchyError(f"{name} is required at this level", int(tag_of(name), 16))


def _wanted(asked: Dataset) -> list[Wanted]:
    found = []
    for element in asked:
        tag = int(element.tag)
        if tag & 0xFFFF == 0 or tag >> 16 == 2 or tag in (CHARACTER_SET, TIME_ZONE):
            continue
        found.append(Wanted(tag, element.VR, _inner(element), _creator(asked, tag)))
    return found


def _inner(element: DataElement) -> tuple[Wanted, ...] | None:
    """What is asked for of a sequence (PS3.4 C.2.2.2.6); an empty item asks for all of it."""
    items = element.value if element.VR == "SQ" else []
    if not items or not len(items[0]):
        return None
    return tuple(Wanted(int(one.tag), one.VR, _inner(one)) for one in items[0])


def _is_about(name: str) -> bool:
    """Is this no key but a word about the question: its level, who reserved a private block?"""
    return name in _ABOUT or reserves(int(tag_of(name), 16))


def _creator(asked: Dataset, tag: int) -> str:
    if tag >> 16 & 1 == 0:
        return ""
    block = tag & 0xFFFF if reserves(tag) else tag >> 8 & 0xFF
    reserved = asked.get(tag & 0xFFFF0000 | block)
    return str(reserved.value or "").strip() if reserved else ""


def _leaves_open(level: Level, keys: Sequence[Key], wanted: Sequence[Wanted]) -> bool:
    """Keys of lower levels are not answered, counted ones are not compared."""
    compared = {int(tag_of(key.path[0]), 16) for key in keys if key.values}
    asked = {one.tag for one in wanted}
    return bool(asked & below(level) or compared & PATIENT_COUNTS.keys())


def _agreed(settled: bytes, place: int) -> bool:
    return settled[place : place + 1] == b"\1"


def _joined(character_set: object) -> str:
    terms = [character_set] if isinstance(character_set, str) else list(character_set or [])  # type: ignore[call-overload]  # MultiValue
    return "\\".join(str(term).strip() for term in terms)
