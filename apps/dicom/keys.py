"""Matching keys of a query: what a C-FIND identifier or a QIDO address asks for (PS3.4 C.2.2.2)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

MAX_LENGTH = 1024  # characters of one value: longer ones are no honest question
MAX_VALUES = 200_000  # UIDs in one list; what carries them has a limit of its own
MAX_DEPTH = 8
# PS3.4 C.2.2.2.4: these have no wildcards; C.2.2.2.5: these have ranges.
_WITHOUT_WILDCARDS = frozenset(
    {"AS", "AT", "DA", "DS", "DT", "FD", "FL", "IS", "OB", "OD", "OF", "OL", "OV", "OW"}
    | {"SL", "SS", "SV", "TM", "UI", "UL", "UN", "US", "UV"}
)
_RANGED = frozenset({"DA", "TM", "DT"})
# PS3.4 C.2.2.2.8: several values of these may be asked for together.
_MULTIPLE = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
NO_VALUE = '""'  # PS3.4 C.2.2.2.7: two quotation marks ask for what has no value


class BadKeyError(ValueError):
    """A key that cannot be asked for: too long, too deep, not a value of its kind."""


class Matching(StrEnum):
    """How a key is to be compared (PS3.4 C.2.2.2.1 to C.2.2.2.8)."""

    UNIVERSAL = "universal"
    SINGLE = "single value"
    LIST = "list"
    WILDCARD = "wildcard"
    RANGE = "range"
    EMPTY = "empty value"
    MULTIPLE = "multiple value"


@dataclass(frozen=True)
class Terms:
    """How keys are compared, where both sides agreed on more than the usual (PS3.4 C.5).

    `combined`: a date and its time are one moment. `zone`: that of the dates and times asked
    for and answered, None for the site's own. `empty`: `""` asks for what has no value.
    `multiple`: of an attribute with several values, all that are asked for have to be there.
    """

    fuzzy: bool = False
    combined: bool = False
    zone: tzinfo | None = None
    empty: bool = False
    multiple: bool = False


USUAL = Terms()


@dataclass(frozen=True)
class Key:
    """One attribute asked for.

    `path` holds keywords from the outside in: `("ScheduledProcedureStepSequence", "Modality")`;
    an attribute without a keyword is named by its tag in hexadecimal. `values` is empty for
    universal matching. A sequence without an item is one universal key of VR `SQ`.
    """

    path: tuple[str, ...]
    vr: str
    matching: Matching
    values: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path with dots, as messages and QIDO write it."""
        return ".".join(self.path)

    @property
    def value(self) -> str:
        """The first value; empty for universal matching."""
        return self.values[0] if self.values else ""


def parse_keys(identifier: Dataset) -> list[Key]:
    """Every key of a C-FIND identifier, sequences flattened; raises BadKeyError."""
    return list(_walk(identifier, ()))


def make_key(
    path: Sequence[str], values: Sequence[str], *, vr: str = "", terms: Terms = USUAL
) -> Key:
    """A key from text values, `*` and empty meaning universal; raises BadKeyError."""
    vr = vr or keyword_vr(path[-1])
    kept = tuple(value.strip(" \0") for value in values if value.strip(" \0"))
    if len(kept) > MAX_VALUES or any(len(value) > MAX_LENGTH for value in kept):
        raise BadKeyError(f"{'.'.join(path)}: too long")
    if any("\0" in value for value in kept):
        raise BadKeyError(f"{'.'.join(path)}: NUL within a value")
    if terms.empty and kept == (NO_VALUE,):
        return Key(tuple(path), vr, Matching.EMPTY, kept)
    if terms.multiple and len(kept) > 1 and vr in _MULTIPLE and _has_several(path[-1]):
        if any("*" in value or "?" in value for value in kept):
            raise BadKeyError(f"{'.'.join(path)}: no wildcards where all values have to be there")
        return Key(tuple(path), vr, Matching.MULTIPLE, kept)
    return Key(tuple(path), vr, *_kind(vr, kept))


def keyword_vr(keyword: str) -> str:
    """The dictionary's VR of a keyword, `UN` where it has none."""
    tag = tag_for_keyword(keyword)
    # `US or SS` and the like: the first will do for matching.
    return dictionary_VR(tag).split(" ")[0] if tag is not None else "UN"


def _has_several(keyword: str) -> bool:
    """May an attribute have more than one value? Of those without a keyword nobody knows."""
    tag = tag_for_keyword(keyword)
    return tag is None or dictionary_VM(tag) != "1"


def collapse(pattern: str) -> str:
    """A wildcard pattern without runs of `*`, which would only cost time."""
    return re.sub(r"\*+", "*", pattern)


def _kind(vr: str, values: tuple[str, ...]) -> tuple[Matching, tuple[str, ...]]:
    if not values or (len(values) == 1 and collapse(values[0]) == "*"):
        return Matching.UNIVERSAL, ()
    if len(values) > 1:
        every = vr not in _WITHOUT_WILDCARDS and any(collapse(one) == "*" for one in values)
        return (Matching.UNIVERSAL, ()) if every else (Matching.LIST, values)
    if vr in _RANGED and _is_range(vr, values[0]):
        return Matching.RANGE, values
    if vr not in _WITHOUT_WILDCARDS and ("*" in values[0] or "?" in values[0]):
        return Matching.WILDCARD, (collapse(values[0]),)
    return Matching.SINGLE, values


def _is_range(vr: str, value: str) -> bool:
    # In a DT the dash may be the sign of an offset from UTC (PS3.5 table 6.2-1).
    if vr == "DT":
        value = re.sub(r"-(?:1[0-2]|0\d)[03]0(?=$|-)", "", value)
    return "-" in value


def _walk(dataset: Dataset, path: tuple[str, ...]) -> Iterator[Key]:
    if len(path) > MAX_DEPTH:
        raise BadKeyError(f"{'.'.join(path)}: nested too deeply")
    for element in dataset:
        if _is_frame(element.tag):
            continue
        here = (*path, element.keyword or f"{element.tag:08X}")
        if element.VR != "SQ":
            yield make_key(here, _texts(element.value), vr=element.VR)
        elif not element.value or not element.value[0]:
            yield Key(here, "SQ", Matching.UNIVERSAL)
        else:
            # PS3.4 C.2.2.2.6: a sequence key has one item.
            yield from _walk(element.value[0], here)


def _is_frame(tag: int) -> bool:
    """Group lengths, file meta information, and what says how to read the rest: no keys."""
    return tag & 0xFFFF == 0 or tag >> 16 == 2 or tag in (0x00080005, 0x00080201)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, MultiValue | list | tuple):
        return [_text(one) for one in value]
    return [_text(value)]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
