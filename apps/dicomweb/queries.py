"""A QIDO-RS address as a question to the index (PS3.18 8.3.4 and 10.6.1)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from django.http import QueryDict
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from apps.dicom.keys import Key, Matching, Terms, keyword_vr, make_key
from apps.dicom.projecting import Wanted, reserves
from apps.dicomweb.exceptions import BadRequestError
from apps.studies.conditions import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS
from apps.studies.datasets import PATIENT_COUNTS, Level, below

MAX_LIMIT = 1000
MAX_DEPTH = 8
SEARCHED = frozenset([*STUDY_KEYS, *SERIES_KEYS, *INSTANCE_KEYS])
PARAMETERS = (
    *("limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching"),
    *("includefield", "accept"),
)
# What answers say about themselves or count: never asked for.
_SAID = frozenset({0x00080005, 0x00080052, 0x00080054, 0x00080056, 0x00081190, *PATIENT_COUNTS})
# Values of these are lists when written with commas; names may hold commas.
_LISTED = frozenset({"UI", "CS"})
_TAG = re.compile(r"[0-9A-Fa-f]{8}")

Path = tuple[int, ...]


@dataclass(frozen=True)
class Query:
    """What an address asks for.

    `wanted`: attributes to be answered beside those that the index has; `everything`: all that
    the stored headers have.
    """

    level: Level
    keys: Sequence[Key]
    wanted: Sequence[Wanted]
    everything: bool
    limit: int
    offset: int
    terms: Terms


@dataclass(frozen=True)
class Asked:
    """A matching key of the address, `name` as it was written there."""

    name: str
    path: Path
    key: Key

    @property
    def is_compared(self) -> bool:
        return self.key.matching is not Matching.UNIVERSAL


def parse_query(address: QueryDict, level: Level, **fixed: str) -> Query:
    """Keys of the address and of the path (`fixed`); raises BadRequestError, BadKeyError."""
    terms = Terms(
        fuzzy=_flag(address, "fuzzymatching"),
        empty=_flag(address, "emptyvaluematching"),
        multiple=_flag(address, "multiplevaluematching"),
    )
    asked = _asked(address, terms)
    _check(asked, level, fixed)
    included = [name for value in address.getlist("includefield") for name in value.split(",")]
    fields = [_included(name) for name in included if name and name.lower() != "all"]
    own = [one.path for one in asked if one.path[0] not in below(level)]
    keys = [one.key for one in asked]
    return Query(
        level=level,
        keys=keys + [_exactly(keyword, value) for keyword, value in fixed.items()],
        wanted=wanted_of([*own, *fields]),
        everything=any(name.lower() == "all" for name in included),
        limit=min(_count(address, "limit", MAX_LIMIT), MAX_LIMIT),
        offset=_count(address, "offset", 0),
        terms=terms,
    )


def path_of(name: str) -> Path | None:
    """Keywords or tags with dots between them; None for what names no attribute."""
    steps = [_step(one) for one in name.split(".")]
    if len(steps) > MAX_DEPTH or None in steps:
        return None
    path = cast("Path", tuple(steps))
    # Makers may have sequences that no dictionary knows.
    return path if all(_vr(tag) == "SQ" or tag >> 16 & 1 for tag in path[:-1]) else None


def wanted_of(paths: Iterable[Path]) -> list[Wanted]:
    """Paths as a tree; a sequence that is also named as a whole is wanted whole."""
    below_: dict[int, list[Path]] = {}
    for path in paths:
        below_.setdefault(path[0], []).append(path[1:])
    return [
        Wanted(tag, _vr(tag), tuple(wanted_of(rest)) if all(rest) else None)
        for tag, rest in sorted(below_.items())
    ]


def _asked(address: QueryDict, terms: Terms) -> list[Asked]:
    """Every matching key; raises BadRequestError that names all unknown ones."""
    found: dict[Path, tuple[str, list[str]]] = {}
    unknown: list[str] = []
    for name, values in address.lists():
        if name.lower() in PARAMETERS:
            continue
        path = path_of(name)
        if path is None or path[0] in _SAID or path[0] >> 16 in (0, 2) or reserves(path[-1]):
            unknown.append(name)
        else:
            found.setdefault(path, (name, []))[1].extend(_values(path, values))
    if unknown:
        raise BadRequestError(f"Unknown or not searchable: {', '.join(sorted(unknown))}")
    return [Asked(name, path, _key(path, values, terms)) for path, (name, values) in found.items()]


def _key(path: Path, values: list[str], terms: Terms) -> Key:
    key = make_key([_name(tag) for tag in path], values, vr=_vr(path[-1]), terms=terms)
    if key.vr == "SQ" and key.matching not in (Matching.UNIVERSAL, Matching.EMPTY):
        raise BadRequestError(f"{key.name}: a sequence; name an attribute of it after a dot")
    return key


def _exactly(keyword: str, value: str) -> Key:
    """What stands in a path is one value, whatever it would mean in a query."""
    return Key((keyword,), keyword_vr(keyword), Matching.SINGLE, (value,))


def _check(asked: Sequence[Asked], level: Level, fixed: Mapping[str, str]) -> None:
    """What the index does not know is looked up in stored headers: of few objects only."""
    if twice := [one.name for one in asked if one.key.name in fixed]:
        raise BadRequestError(f"Named by the path already: {', '.join(twice)}")
    compared = [one for one in asked if one.is_compared]
    unknown = [one for one in compared if one.key.name not in SEARCHED]
    if lower := [one.name for one in unknown if one.path[0] in below(level)]:
        raise BadRequestError(f"Not searchable at this level: {', '.join(lower)}")
    if unknown and not fixed and len(unknown) == len(compared):
        raise BadRequestError(
            f"{', '.join(one.name for one in unknown)}: not in the index, so that every stored "
            "header would have to be read; ask together with a key that is, such as PatientID, "
            "StudyDate or Modality"
        )


def _step(name: str) -> int | None:
    if _TAG.fullmatch(name):
        return int(name, 16)
    return tag_for_keyword(name) or None


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"{tag:08X}"


def _vr(tag: int) -> str:
    """The dictionary's VR."""
    keyword = keyword_for_tag(tag)
    return keyword_vr(keyword) if keyword else "UN"


def _values(path: Path, values: list[str]) -> list[str]:
    listed = _vr(path[-1]) in _LISTED
    parts: list[str] = []
    for value in values:
        text = value.replace(",", "\\") if listed else value
        parts += text.split("\\")
    return parts


def _included(name: str) -> Path:
    path = path_of(name)
    if path is None:
        raise BadRequestError(f"includefield: no such attribute: {name}")
    return path


def _flag(address: QueryDict, name: str) -> bool:
    text = address.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise BadRequestError(f"{name}: neither true nor false")
    return text == "true"


def _count(address: QueryDict, name: str, default: int) -> int:
    text = address.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise BadRequestError(f"{name}: not a number")
    return int(text)
