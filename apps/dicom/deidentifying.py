"""Making objects nameless by the Basic Profile of PS3.15 annex E and its options.

Stricter than the table where it is silent: attributes that are in no dictionary, and free
texts, names, dates and UIDs that it does not list, are treated as the listed ones of their
kind. What is known of the patient is taken out of every text that stays.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from apps.dicom.confidentiality import (
    BASIC_PROFILE,
    CLEAN_PIXELS,
    EDITION,
    METHODS,
    Action,
    Method,
    Option,
    attribute_rule,
    content_rule,
)
from apps.dicom.private import is_safe_private
from apps.dicom.scrubbing import MASK, scrubbed, shifted, telling_words, without_words

REMOVED = "REMOVED"
MOST_DAYS = 3650
_LONGEST_SHOWN = 120
_CODED = ("PatientName", "PatientID")  # of the object itself: the code stands there
_REGISTERED = "1.2.840.10008."  # UIDs of the standard name nobody
# Ends of keywords of UIDs that say what something is, not which one it is.
_KINDS = ("ClassUID", "TransferSyntaxUID", "CodingSchemeUID", "ContextUID", "ResourceUID")
_PIXEL_GROUP = 0x7FE0
# Coded values of these groups say how the rest is read; of others they may be typed by hand.
_STRUCTURE = (0x0002, 0x0008, 0x0028, 0x0040)
_LETTERS = 4
_FREE_TEXT = frozenset({"LT", "ST", "UT", "UC", "UR"})
_SHORT_TEXT = frozenset({"AE", "LO", "SH"})
_MOMENTS = frozenset({"DA", "DT", "TM"})
_DUMMIES: dict[str, Any] = {
    "AS": "000Y",
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "DS": "0",
    "IS": "0",
    "UR": "http://removed.invalid",
}
_ZERO_VRS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_BYTES_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True)
class Change:
    """What was done to one element: `path` as keywords or tags apart by dots."""

    path: str
    action: Action
    before: str
    after: str


@dataclass
class _Run:
    """One object: whose it is, which words tell that, who has looked, what was done so far."""

    code: str
    days: int
    words: frozenset[str]
    looked_at: bool = False
    changes: list[Change] = field(default_factory=list)

    @cached_property
    def names(self) -> frozenset[str]:
        """Those words that are no number and no abbreviation."""
        return frozenset(word for word in self.words if len(word) >= _LETTERS and word.isalpha())


class Deidentifier:
    """A profile: its options, and the secret that its codes, UIDs and shifts are made of."""

    def __init__(self, options: Iterable[Option], secret: bytes) -> None:
        self.options = frozenset(options)
        self._secret = secret

    def uid(self, uid: str) -> str:
        """The UID that stands for another one: always the same, below 2.25 (PS3.5 B.2)."""
        if not uid or uid.startswith(_REGISTERED) or Option.RETAIN_UIDS in self.options:
            return uid
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16])}"

    def code(self, patient: str) -> str:
        """The code that stands for a patient."""
        return f"P{int.from_bytes(self._digest('patient', patient)[:8]):016X}"

    def days(self, patient: str) -> int:
        """By how many days the dates of a patient are moved back."""
        return 1 + int.from_bytes(self._digest("days", patient)[:8]) % MOST_DAYS

    def apply(self, dataset: Dataset, *, patient: str, looked_at: bool = False) -> list[Change]:
        """Make an object nameless in place; returns what was done to its elements.

        `patient`: tells one patient from another. `looked_at`: somebody has seen to it that
        nobody is named in the pixels, or in the document that the object holds.
        """
        words = telling_words(dataset)
        run = _Run(self.code(patient), self.days(patient), words, looked_at)
        self._walk(dataset, run, "", inside_dummy=False)
        for tag in [tag for tag in dataset.keys() if tag.group > _PIXEL_GROUP]:  # noqa: SIM118 - tags, no elements
            del dataset[tag]  # private groups and padding behind the pixels
        self._sign(dataset, run)
        return run.changes

    def _walk(self, dataset: Dataset, run: _Run, path: str, *, inside_dummy: bool) -> None:
        for tag in list(dataset.keys()):
            if tag.element == 0:  # the length of a group, which changes and nobody needs
                del dataset[tag]
                continue
            element = dataset[tag]
            here = f"{path}{element.keyword or element.tag}"
            action = self._action(dataset, element)
            if here in _CODED:
                action = Action.MAP
            if run.looked_at and here == "EncapsulatedDocument":
                action = Action.KEEP
            if inside_dummy and action in (Action.KEEP, Action.CLEAN):
                action = _inside_dummy(element)
            before = _shown(element)
            self._do(action, dataset, element, run, here)
            after = _shown(dataset[tag]) if tag in dataset else ""
            if before != after or tag not in dataset:
                run.changes.append(Change(here, action, before, after))

    def _action(self, dataset: Dataset, element: DataElement) -> Action:
        tag = int(element.tag)
        if element.tag.is_private:
            safe = Option.RETAIN_SAFE_PRIVATE in self.options and is_safe_private(dataset, tag)
            return Action.KEEP if safe else Action.REMOVE
        if tag >> 16 in (0x0000, 0x0002):
            return Action.REMOVE  # of messages and of files: there is another place for them
        rule = attribute_rule(tag)
        return rule.action(self.options) if rule else self._unlisted(element)

    def _unlisted(self, element: DataElement) -> Action:
        """For attributes that the table does not name."""
        vr = element.VR
        if not dictionary_has_tag(element.tag):
            return Action.REMOVE
        if vr == "PN":
            return Action.EMPTY
        if vr in _FREE_TEXT:
            cleans = Option.CLEAN_DESCRIPTORS in self.options
            return Action.CLEAN if cleans else Action.DUMMY
        if vr in _MOMENTS:
            return self._moment()
        if vr == "UI" and not element.keyword.endswith(_KINDS):
            return Action.MAP
        return Action.KEEP

    def _moment(self) -> Action:
        if Option.FULL_DATES in self.options:
            return Action.KEEP
        return Action.CLEAN if Option.MODIFIED_DATES in self.options else Action.EMPTY

    def _do(
        self, action: Action, dataset: Dataset, element: DataElement, run: _Run, path: str
    ) -> None:
        if action is Action.REMOVE:
            del dataset[element.tag]
        elif element.VR == "SQ":
            self._sequence(action, element, run, path)
        elif path in _CODED:
            element.value = run.code
        elif action is Action.EMPTY:
            element.value = None if element.VR not in _BYTES_VRS else b""
        elif element.tag.group != _PIXEL_GROUP and element.value not in (None, "", b""):
            self._change(action, element, run)

    def _change(self, action: Action, element: DataElement, run: _Run) -> None:
        if action is Action.DUMMY:
            element.value = _dummy(element)
        elif action is Action.MAP or (element.VR == "UI" and action is Action.CLEAN):
            _each(element, self.uid)
        elif action is Action.CLEAN:
            self._clean(element, run)
        elif element.VR in _FREE_TEXT | _SHORT_TEXT:
            _each(element, lambda text: without_words(text, run.words))
        elif element.VR == "CS" and element.tag.group not in _STRUCTURE:
            _each(element, lambda text: without_words(text, run.names).replace(MASK, "X"))

    def _clean(self, element: DataElement, run: _Run) -> None:
        if element.VR in ("DA", "DT"):
            _each(element, lambda value: shifted(value, run.days))
        elif element.VR in _FREE_TEXT | _SHORT_TEXT | {"PN"}:
            _each(element, lambda text: scrubbed(text, run.words))

    def _sequence(self, action: Action, element: DataElement, run: _Run, path: str) -> None:
        if action is Action.EMPTY:
            element.value = Sequence()
            return
        cleans_content = Option.CLEAN_CONTENT in self.options
        if element.keyword == "ContentSequence" and cleans_content:
            element.value = Sequence(self._items_left(element.value))
        for number, item in enumerate(element.value, 1):
            self._walk(item, run, f"{path}.{number}.", inside_dummy=action is Action.DUMMY)

    def _items_left(self, items: Iterable[Dataset]) -> Iterator[Dataset]:
        """Content items of a report by their concept names (PS3.15 table E.3.4-1)."""
        for item in items:
            names = item.get("ConceptNameCodeSequence") or [Dataset()]
            scheme = str(names[0].get("CodingSchemeDesignator", ""))
            rule = content_rule(scheme, str(names[0].get("CodeValue", "")))
            action = rule.action(self.options) if rule else None
            if action is not Action.REMOVE:
                if action in (Action.DUMMY, Action.EMPTY):
                    _dull(item)
                yield item

    def _sign(self, dataset: Dataset, run: _Run) -> None:
        """Say in the object that it is nameless, and how it became so (PS3.15 E.1.1)."""
        dataset.PatientName = dataset.PatientID = run.code
        dataset.PatientIdentityRemoved = "YES"
        if Option.FULL_DATES in self.options:
            temporal = "UNMODIFIED"
        else:
            temporal = "MODIFIED" if Option.MODIFIED_DATES in self.options else "REMOVED"
        dataset.LongitudinalTemporalInformationModified = temporal
        methods = [BASIC_PROFILE, *(METHODS[one] for one in Option if one in self.options)]
        if run.looked_at and "PixelData" in dataset:
            methods.append(CLEAN_PIXELS)
            dataset.BurnedInAnnotation = "NO"
        dataset.DeidentificationMethod = f"DICOM PS3.15 annex E {EDITION}, by openpacs"
        dataset.DeidentificationMethodCodeSequence = Sequence(map(_coded, methods))

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()


def _inside_dummy(element: DataElement) -> Action:
    """In a sequence of dummies everything that is text is one; its form stays."""
    if element.VR in _FREE_TEXT | _SHORT_TEXT | _MOMENTS | {"PN", "AS"}:
        return Action.DUMMY
    if element.VR == "UI":
        return Action.MAP
    return Action.DUMMY if element.VR in _BYTES_VRS else Action.KEEP


def _dull(item: Dataset) -> None:
    """Keep a content item for its place in the report, without what it said."""
    for keyword in ("TextValue", "PersonName", "Date", "Time", "DateTime", "UID"):
        if keyword in item:
            item[keyword].value = _dummy(item[keyword])


def _dummy(element: DataElement) -> Any:
    vr = element.VR
    if vr in _BYTES_VRS:
        return b"\0\0"
    if vr in _ZERO_VRS:
        return 0
    if vr == "UI":
        return "2.25.0"
    if vr == "AT":
        return Tag(0)
    return _DUMMIES.get(vr, REMOVED)


def _each(element: DataElement, change: Callable[[str], str]) -> None:
    value = element.value
    if isinstance(value, MultiValue | list | tuple):
        element.value = [change(str(one)) for one in value]
    elif value not in (None, ""):
        element.value = change(str(value))


def _coded(method: Method) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = method.code, method.meaning
    item.CodingSchemeDesignator = "DCM"
    return item


def _shown(element: DataElement) -> str:
    """A value for a person to read, long ones cut; of a sequence the number of its items."""
    if element.VR == "SQ":
        return f"({len(element.value)})" if element.value else ""
    if element.VR in _BYTES_VRS and isinstance(element.value, bytes):
        return f"{len(element.value)} B" if element.value else ""
    text = "" if element.value is None else str(element.value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
