"""Taking what is known of a person out of free text, and moving dates."""

import datetime
import re
from collections.abc import Iterable

from pydicom.dataset import Dataset

MASK = "#"
_SHORTEST = 3  # shorter words are everywhere: they would take the text with them
# Attributes whose words say who somebody is, wherever else they turn up.
_TELLING = frozenset(
    {
        "AccessionNumber",
        "IssuerOfPatientID",
        "OtherPatientIDs",
        "PatientBirthDate",
        "PatientID",
        "PatientTelephoneNumbers",
        "PatientAddress",
        "AdmissionID",
        "MilitaryRank",
    }
)
# Numbers of four digits and more, dates in all spellings, addresses of mail and web.
_NUMBERS = re.compile(
    r"\S+@\S+|\bhttps?://\S+|\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b\w*\d{4,}\w*\b"
)
_WORD = re.compile(r"[^\W_]+")
_DATE = re.compile(r"\d{8}")


def telling_words(dataset: Dataset) -> frozenset[str]:
    """Words of names, numbers and addresses in an object, nested ones too, in lower case."""
    found: set[str] = set()
    for element in dataset.iterall():
        if element.VR == "PN" or element.keyword in _TELLING:
            found.update(_words(str(element.value)))
    return frozenset(found)


def scrubbed(text: str, words: Iterable[str]) -> str:
    """A text without these words and without what may be a number, date or address."""
    known = frozenset(words)
    text = without_words(text, known)
    return _NUMBERS.sub(MASK, text)


def without_words(text: str, words: frozenset[str]) -> str:
    """A text without these words, in whatever case; the same text where there are none."""
    return _WORD.sub(lambda found: MASK if found[0].casefold() in words else found[0], text)


def shifted(value: str, days: int) -> str:
    """A DA or DT some days earlier; what is no whole date becomes empty."""
    found = _DATE.match(value)
    try:
        day = datetime.datetime.strptime(found[0] if found else "", "%Y%m%d")  # noqa: DTZ007 - a day has no time zone
        moved = day - datetime.timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved:%Y%m%d}".rjust(8, "0") + value[8:]


def _words(text: str) -> Iterable[str]:
    return (word.casefold() for word in _WORD.findall(text) if len(word) >= _SHORTEST)
