"""Changing attributes of a data set and saying so in it (PS3.3 C.12.1.1.9).

Only the elements concerned are written anew; all others are copied byte for byte, but for
texts where the character set has to become UTF-8.
"""

import copy
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence as Items

from apps.dicom.charsets import UTF8, encodable
from apps.dicom.dates import format_datetime
from apps.dicom.encoding import encoded
from apps.dicom.header import UNDEFINED, Element, elements

log = logging.getLogger(__name__)

MODIFYING_SYSTEM = "OPENPACS"
CHARACTER_SET, ORIGINAL_ATTRIBUTES = 0x00080005, 0x04000561
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True)
class Change:
    """One attribute: `00100010`, or `00400275/0/00401001` within an item.

    `values` as in DICOM JSON; an empty list empties the attribute, None removes it.
    """

    path: str
    vr: str
    values: list[Any] | None

    @property
    def tag(self) -> int:
        """The attribute of the top level."""
        return int(self.path[:8], 16)


@dataclass(frozen=True)
class Amendment:
    """Changes made together; `reason` is COERCE or CORRECT (PS3.3 C.12.1.1.9)."""

    changes: tuple[Change, ...]
    at: datetime
    reason: str
    source: str = ""  # of the values before


def amend(data: bytes, amendments: Sequence[Amendment], *, explicit_vr: bool) -> bytes:
    """A little-endian data set with the amendments made, one after the other.

    Returns `data` itself where it says all that already. Raises WalkError, struct.error.
    """
    pieces = dict(_pieces(data, explicit_vr))
    wanted = {change.tag for one in amendments for change in one.changes}
    wanted |= {CHARACTER_SET, ORIGINAL_ATTRIBUTES}
    with warnings.catch_warnings(action="ignore"):
        concerned = b"".join(piece for tag, (_, piece) in pieces.items() if tag in wanted)
        dataset = read_elements(concerned, explicit_vr=explicit_vr)
        before = _character_set(dataset)
        if not sum(_make(dataset, one) for one in amendments):
            return data
        made = encoded(dataset, implicit_vr=not explicit_vr)
        rest = {tag: piece for tag, piece in pieces.items() if tag not in wanted}
        if _character_set(dataset) != before:
            declared = pieces[CHARACTER_SET][1] if CHARACTER_SET in pieces else b""
            texts = _in_utf8(rest, declared, explicit_vr)
        else:
            texts = {tag: piece for tag, (_, piece) in rest.items()}
    groups = {tag >> 16 for tag in dataset.keys()}  # noqa: SIM118 - elements, not tags, else
    return _merged(texts, dict(_pieces(made, explicit_vr)), groups)


def read_elements(data: bytes, *, explicit_vr: bool) -> Dataset:
    """A little-endian data set as pydicom reads it, everything decoded."""
    if not data:
        return Dataset()
    dataset = read_dataset(io.BytesIO(data), not explicit_vr, is_little_endian=True)
    for _ in dataset.iterall():
        pass
    return dataset


def text_of(values: list[Any] | None) -> str:
    """Values of DICOM JSON as the text of a data element, empty for none."""
    return "\\".join(_text(one) for one in values or [])


def person_name(text: str) -> dict[str, str]:
    """A PN as a value of DICOM JSON (PS3.18 F.2.2)."""
    return {name: group for name, group in zip(_GROUPS, text.split("="), strict=False) if group}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")
    return "" if value is None else str(value)


def _pieces(data: bytes, explicit_vr: bool) -> Iterator[tuple[int, tuple[Element, bytes]]]:
    """Each element of the top level with all its bytes."""
    before: Element | None = None
    for element in elements(data, 0, len(data), explicit_vr=explicit_vr):
        if before:
            yield before.tag, (before, data[before.start : element.start])
        before = element
    if before:
        yield before.tag, (before, data[before.start :])


def _character_set(dataset: Dataset) -> str:
    value = dataset.get("SpecificCharacterSet") or ""
    return value if isinstance(value, str) else "\\".join(value)


def _make(dataset: Dataset, amendment: Amendment) -> bool:
    """Make the changes of one amendment in place; False where there was nothing to do."""
    originals = Dataset()
    for change in amendment.changes:
        before = copy.deepcopy(dataset[change.tag]) if change.tag in dataset else None
        if not _change(dataset, change) or change.tag in originals:
            continue
        empty = DataElement(change.tag, _top_vr(change), Items() if "/" in change.path else None)
        originals[change.tag] = before or empty
    if not originals:
        return False
    known = _character_set(dataset)
    if not all(encodable(word, known) for word in _words(amendment)):
        originals.SpecificCharacterSet = known.split("\\") if known else None
        dataset.SpecificCharacterSet = UTF8
    _append_original(dataset, originals, amendment)
    return True


def _words(amendment: Amendment) -> list[str]:
    """The texts between delimiters: each may be written in a set of its own (PS3.5 6.1.2.5.3)."""
    texts = "\\".join(text_of(change.values) for change in amendment.changes)
    return re.split(r"[\\^=]", texts)


def _top_vr(change: Change) -> str:
    return "SQ" if "/" in change.path else change.vr


def _change(dataset: Dataset, change: Change) -> bool:
    top, *below = change.path.split("/")
    if not below:
        return _put(dataset, int(top, 16), change)
    if int(top, 16) not in dataset:
        if not change.values:
            return False
        dataset[int(top, 16)] = DataElement(int(top, 16), "SQ", Items())
    items = dataset[int(top, 16)].value
    while len(items) <= int(below[0]):
        items.append(Dataset())
    return _put(items[int(below[0])], int(below[1], 16), change)


def _put(dataset: Dataset, tag: int, change: Change) -> bool:
    known = _known(dataset[tag]) if tag in dataset else None
    wanted = None if change.values is None else [_text(one) for one in change.values]
    if known == wanted:
        return False
    if change.values is None:
        del dataset[tag]
    else:
        dataset[tag] = DataElement(tag, change.vr, _value(change))
    return True


def _known(element: DataElement) -> list[str]:
    if element.is_empty:
        return []
    values = element.value if element.VM > 1 else [element.value]
    return [str(one).rstrip() for one in values]


def _value(change: Change) -> Any:
    values = change.values or []
    if change.vr not in {"US", "SS", "UL", "SL", "FL", "FD", "UV", "SV"}:
        values = [_text(one) for one in values]
    return values[0] if len(values) == 1 else values or None


def _append_original(dataset: Dataset, originals: Dataset, amendment: Amendment) -> None:
    item = Dataset()
    item.ModifiedAttributesSequence = [originals]
    item.AttributeModificationDateTime = format_datetime(amendment.at)
    item.ModifyingSystem = MODIFYING_SYSTEM
    source = "".join(one for one in amendment.source if " " <= one <= "~" and one != "\\")
    item.SourceOfPreviousValues = source or None
    item.ReasonForTheAttributeModification = amendment.reason
    if ORIGINAL_ATTRIBUTES not in dataset or dataset[ORIGINAL_ATTRIBUTES].is_empty:
        dataset.OriginalAttributesSequence = []
    dataset.OriginalAttributesSequence.append(item)


def _in_utf8(
    pieces: dict[int, tuple[Element, bytes]], declared: bytes, explicit_vr: bool
) -> dict[int, bytes]:
    """The pieces with all texts in UTF-8; `declared` is the element that says what they are."""
    return {
        tag: _piece_in_utf8(element, piece, declared, explicit_vr)
        if _may_hold_text(element)
        else piece
        for tag, (element, piece) in pieces.items()
    }


def _may_hold_text(element: Element) -> bool:
    vr = element.vr.decode() if element.vr else _dictionary_vr(element.tag)
    return vr in _TEXT_VRS or vr == "SQ" or element.length == UNDEFINED


def _dictionary_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _piece_in_utf8(element: Element, piece: bytes, declared: bytes, explicit_vr: bool) -> bytes:
    if piece.isascii() and b"\x1b" not in piece:
        return piece
    try:
        dataset = read_elements(declared + piece, explicit_vr=explicit_vr)
        if not any(_is_foreign(one) for one in dataset.iterall()):
            return piece
        _forget_character_sets(dataset)
        utf8 = convert_encodings(UTF8)
        return encoded(dataset, implicit_vr=not explicit_vr, encodings=utf8)
    except Exception as error:  # noqa: BLE001 - damaged sequences surface as almost anything
        log.warning("(%08X) stays as sent: %s", element.tag, type(error).__name__)
        return piece


def _is_foreign(element: DataElement) -> bool:
    return element.VR in _TEXT_VRS and not str(element.value).isascii()


def _forget_character_sets(dataset: Dataset) -> None:
    if "SpecificCharacterSet" in dataset:
        del dataset.SpecificCharacterSet
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _forget_character_sets(item)


def _merged(
    kept: dict[int, bytes], made: dict[int, tuple[Element, bytes]], groups: set[int]
) -> bytes:
    """Both in the order of their tags, without lengths of groups that changed (PS3.5 7.2)."""
    pieces = {tag: piece for tag, (_, piece) in made.items()}
    pieces |= {tag: piece for tag, piece in kept.items() if tag & 0xFFFF or tag >> 16 not in groups}
    return b"".join(pieces[tag] for tag in sorted(pieces))
