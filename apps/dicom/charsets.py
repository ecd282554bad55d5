"""Specific Character Set (0008,0005): reading any, writing what the receiver can read."""

import unicodedata
from collections.abc import Sequence

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import TEXT_VR_DELIMS, PersonName

UTF8 = "ISO_IR 192"
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def python_encodings(character_set: str | Sequence[str] | None) -> list[str]:
    """Python's codecs for a Specific Character Set; unknown terms are read as Latin-1."""
    terms = (
        character_set.split("\\") if isinstance(character_set, str) else list(character_set or ())
    )
    try:
        return list(convert_encodings([term.strip() for term in terms]))
    except (LookupError, ValueError, UserWarning):
        return ["latin-1"]


def decode(raw: bytes, character_set: str | Sequence[str] | None) -> str:
    """Text of a data element; bytes that fit no character set become replacement characters."""
    try:
        return decode_bytes(raw, python_encodings(character_set), TEXT_VR_DELIMS)
    except (LookupError, ValueError, UserWarning):
        return raw.decode("latin-1")


def encodable(text: str, character_set: str) -> bool:
    """Can `text` be written in a character set without loss?"""
    # The default repertoire is ASCII, though pydicom reads it leniently as Latin-1.
    if text.isascii() or character_set in {"", "ISO_IR 6", "ISO 2022 IR 6"}:
        return text.isascii()
    # pydicom only warns of what it cannot write, and writes `?`: read it back.
    try:
        raw = encode_string(text, python_encodings(character_set))
    except (ValueError, LookupError, UserWarning):
        return False
    return decode(raw, character_set) == text


def readable_character_set(texts: Sequence[str], *, asked: str, own: str) -> str:
    """The set to answer in: what the caller asks in, else its own, if they can hold it all.

    What neither can hold is to be fitted into the caller's own set (`fit_text`): more it
    cannot read. A caller of whom no set is known gets UTF-8.
    """
    for one in (asked, own):
        known = all(term.strip() in python_encoding for term in one.split("\\"))
        if one and known and all(encodable(text, one) for text in texts):
            return one
    return own or UTF8


def encode_value(text: str, vr: str, character_set: str) -> bytes:
    """The values of an element, separated by backslashes, as bytes of a set that holds them."""
    if vr not in _TEXT_VRS:
        return text.encode("ascii", "replace")
    encodings = python_encodings(character_set)
    fitted = fit_text(text, character_set)
    if vr == "PN":
        return b"\\".join(PersonName(one).encode(encodings) for one in fitted.split("\\"))
    return b"\\".join(encode_string(one, encodings) for one in fitted.split("\\"))


def pick_character_set(texts: Sequence[str], *, preferred: str = "") -> str:
    """The character set to write `texts` in: empty (ASCII), the preferred one, else UTF-8."""
    if all(text.isascii() for text in texts):
        return ""
    if preferred and all(encodable(text, preferred) for text in texts):
        return preferred
    return UTF8


def fit_text(text: str, character_set: str) -> str:
    """`text` in characters of the set: accents are dropped, what is left over becomes `?`.

    For receivers that cannot read more: a name with a `?` is seen, a missing patient is not.
    """
    if encodable(text, character_set):
        return text
    return "".join(_nearest(char, character_set) for char in text)


def fit_dataset(dataset: Dataset, character_set: str) -> Dataset:
    """Make every text of `dataset` writable in `character_set` and declare it, in place."""
    _fit_items(dataset, character_set)
    if character_set:
        dataset.SpecificCharacterSet = character_set.split("\\")
    return dataset


def _nearest(char: str, character_set: str) -> str:
    if encodable(char, character_set):
        return char
    bare = "".join(
        part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part)
    )
    return bare if bare and encodable(bare, character_set) else "?"


def _fit_items(dataset: Dataset, character_set: str) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _fit_items(item, character_set)
        elif element.VR in _TEXT_VRS and element.value:
            element.value = _fit_value(element.value, character_set)


def _fit_value(value: object, character_set: str) -> object:
    if isinstance(value, MultiValue | list):
        return [_fit_value(one, character_set) for one in value]
    fitted = fit_text(str(value), character_set)
    return PersonName(fitted) if isinstance(value, PersonName) else fitted
