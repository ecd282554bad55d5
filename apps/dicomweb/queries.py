"""A QIDO-RS address as matching keys (PS3.18 8.3.4 and 10.6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import hexdigits

from django.http import QueryDict
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from apps.dicom.keys import Key, Terms, keyword_vr, make_key
from apps.dicomweb.exceptions import BadRequestError

MAX_LIMIT = 1000
_OWN = frozenset({"limit", "offset", "fuzzymatching", "includefield", "accept"})
# Values of these are lists when written with commas; names may hold commas.
_LISTED = frozenset({"UI", "CS"})


@dataclass(frozen=True)
class Query:
    keys: list[Key]
    limit: int
    offset: int
    terms: Terms


def parse_query(address: QueryDict, known: Iterable[Mapping[str, object]], **fixed: str) -> Query:
    """Keys of the address and of the path (`fixed`); raises BadRequestError, BadKeyError."""
    names = {keyword for table in known for keyword in table}
    keys: dict[str, list[str]] = {}
    unknown: list[str] = []
    for name, values in address.lists():
        if name.lower() in _OWN:
            continue
        keyword = _keyword(name)
        if keyword in names:
            keys.setdefault(keyword, []).extend(_values(keyword, values))
        else:
            unknown.append(name)
    if unknown:
        raise BadRequestError(f"Unknown or not searchable: {', '.join(sorted(unknown))}")
    _check_included(address.getlist("includefield"))
    made = [make_key([keyword], values) for keyword, values in keys.items()]
    made += [make_key([keyword], [value]) for keyword, value in fixed.items()]
    return Query(
        made,
        min(_count(address, "limit", MAX_LIMIT), MAX_LIMIT),
        _count(address, "offset", 0),
        Terms(fuzzy=address.get("fuzzymatching", "").lower() == "true"),
    )


def _keyword(name: str) -> str:
    """The keyword of a keyword or of eight hexadecimal digits; empty for anything else."""
    if _is_tag(name):
        return keyword_for_tag(int(name, 16))
    return name if tag_for_keyword(name) is not None else ""


def _is_tag(name: str) -> bool:
    return len(name) == 8 and all(char in hexdigits for char in name)


def _values(keyword: str, values: list[str]) -> list[str]:
    listed = keyword_vr(keyword) in _LISTED
    parts: list[str] = []
    for value in values:
        text = value.replace(",", "\\") if listed else value
        parts += text.split("\\")
    return parts


def _check_included(values: list[str]) -> None:
    """Every indexed attribute is answered anyway; a field that does not exist is an error."""
    names = [name for value in values for name in value.split(",") if name]
    last = {name: name.rpartition(".")[2] for name in names if name.lower() != "all"}
    wrong = [name for name, end in last.items() if not (_is_tag(end) or _keyword(end))]
    if wrong:
        raise BadRequestError(f"includefield: no such attribute: {', '.join(wrong)}")


def _count(address: QueryDict, name: str, default: int) -> int:
    text = address.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise BadRequestError(f"{name}: not a number")
    return int(text)
