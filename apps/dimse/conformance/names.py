"""The standard's names for what our tables hold by number, keyword or UID."""

from pydicom.datadict import (
    dictionary_description,
    dictionary_has_tag,
    dictionary_VR,
    tag_for_keyword,
)
from pydicom.uid import UID

from apps.dicom.keys import Matching, make_key
from apps.dimse import messages

OPERATIONS = {
    value: name.removesuffix("_RQ").replace("_", "-")
    for name, value in vars(messages).items()
    if name.endswith("_RQ")
}
# Values that make a key of each kind, where its VR has that kind (PS3.4 C.2.2.2).
_SAMPLES = {
    Matching.SINGLE: ["1"],
    Matching.LIST: ["1", "2"],
    Matching.WILDCARD: ["1*"],
    Matching.RANGE: ["1-2"],
}


def uid_name(uid: str) -> str:
    """The standard's name of a UID; the UID itself where it has none."""
    return str(UID(uid).name)


def attribute_of(keyword: str) -> tuple[str, str, str]:
    """Name, tag and VR of an attribute; of a path `Sequence.Attribute` those of its end."""
    names = [_described(part) for part in keyword.split(".")]
    tag = tag_for_keyword(keyword.rsplit(".", 1)[-1]) or 0
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else ""
    return " > ".join(names), f"({tag >> 16:04X},{tag & 0xFFFF:04X})", vr


def matching_of(keyword: str) -> str:
    """The kinds of matching that a key has, as the parser of keys sees them."""
    last = keyword.rsplit(".", 1)[-1]
    kinds = [kind for kind, sample in _SAMPLES.items() if _kind(last, sample) is kind]
    return ", ".join([Matching.UNIVERSAL.value, *(kind.value for kind in kinds)])


def status_of(code: int) -> str:
    """A status as the standard writes it: `A700`."""
    return f"0x{code:04X}"


def _kind(keyword: str, sample: list[str]) -> Matching:
    return make_key([keyword], sample).matching


def _described(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return dictionary_description(tag) if tag is not None else keyword
