"""What a UPS-RS address asks for: keys, also within sequences, and what to answer (PS3.18 11.9)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.http import QueryDict
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from apps.dicom.json import JsonDataset
from apps.dicom.keys import Key, keyword_vr, make_key
from apps.dicom.matching import tag_of
from apps.dicomweb.exceptions import BadRequestError
from apps.workitems.attributes import RETURNED

MAX_LIMIT = 1000
MAX_OFFSET = 1_000_000
# Ways of matching that these searches do not have (PS3.18 8.3.4.5 and 8.3.4.6).
_WITHOUT = {
    "emptyvaluematching": "Empty Value Matching",
    "multiplevaluematching": "Multiple Value Matching",
}
_OWN = frozenset(
    {"limit", "offset", "fuzzymatching", "includefield", "accept", "charset", *_WITHOUT}
)
_LISTED = frozenset({"UI", "CS"})  # values of these are lists when written with commas


@dataclass(frozen=True)
class WorkitemQuery:
    """Keys, a page of the answers, and which attributes each of them is to have."""

    keys: list[Key]
    limit: int
    offset: int
    fuzzy: bool
    fields: frozenset[str]  # tags; empty: all there are
    without: Mapping[str, str]  # parameters that are set and not supported, and what they mean

    def answer(self, dataset: JsonDataset) -> JsonDataset:
        if not self.fields:
            return dataset
        return {tag: found for tag, found in dataset.items() if tag in self.fields}


def parse_search(address: QueryDict) -> WorkitemQuery:
    """A search as its address asks for it; raises BadRequestError, BadKeyError."""
    asked = {name: values for name, values in address.lists() if name.lower() not in _OWN}
    keys = keys_of(asked)
    included = [name for value in address.getlist("includefield") for name in value.split(",")]
    return WorkitemQuery(
        keys,
        min(_count(address, "limit", MAX_LIMIT), MAX_LIMIT),
        min(_count(address, "offset", 0), MAX_OFFSET),
        _is_true(address, "fuzzymatching"),
        _fields(keys, included),
        {name: kind for name, kind in _WITHOUT.items() if _is_true(address, name)},
    )


def parse_filter(address: QueryDict) -> list[Key]:
    """The keys of `filter=a=b,c=d` (PS3.18 11.10.1.2); raises BadRequestError, BadKeyError.

    A part without an equals sign goes on with the list of values before it.
    """
    asked: dict[str, list[str]] = {}
    name = ""
    for part in ",".join(address.getlist("filter")).split(","):
        left, equals, right = part.partition("=")
        if equals:
            name = left
            asked.setdefault(name, []).append(right)
        elif name:
            asked[name].append(part)
        else:
            raise BadRequestError("filter: write attribute=value, with commas between them.")
    return keys_of(asked)


def keys_of(asked: dict[str, list[str]]) -> list[Key]:
    """Keys by name: keywords or tags, with dots between those of sequences and their items."""
    made = []
    wrong = []
    for name, values in asked.items():
        path = _path(name)
        if path:
            made.append(make_key(path, _values(path[-1], values)))
        else:
            wrong.append(name)
    if wrong:
        raise BadRequestError(f"No such attribute: {', '.join(sorted(wrong))}")
    return made


def _path(name: str) -> list[str]:
    keywords = [_keyword(part) for part in name.split(".")]
    return keywords if all(keywords) and len(keywords) <= 8 else []


def _keyword(name: str) -> str:
    """The keyword of a keyword or tag of the dictionary; empty for anything else."""
    if tag_for_keyword(name) is not None:
        return name
    try:
        return keyword_for_tag(int(name, 16)) if len(name) == 8 else ""
    except ValueError:
        return ""


def _values(keyword: str, values: Iterable[str]) -> list[str]:
    listed = keyword_vr(keyword) in _LISTED
    return [
        part
        for value in values
        for part in (value.replace(",", "\\") if listed else value).split("\\")
    ]


def _fields(keys: list[Key], included: list[str]) -> frozenset[str]:
    names = [name for name in included if name]
    if "all" in (name.lower() for name in names):
        return frozenset()
    paths = {name: _path(name) for name in names}
    wrong = sorted(name for name, path in paths.items() if not path)
    if wrong:
        raise BadRequestError(f"includefield: no such attribute: {', '.join(wrong)}")
    outer = [path[0] for path in paths.values()] + [key.path[0] for key in keys]
    return RETURNED | {tag_of(keyword) for keyword in outer}


def _is_true(address: QueryDict, name: str) -> bool:
    return address.get(name, "").lower() == "true"


def _count(address: QueryDict, name: str, default: int) -> int:
    text = address.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise BadRequestError(f"{name}: not a number")
    return int(text)
