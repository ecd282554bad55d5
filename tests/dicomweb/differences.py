"""How the metadata of Orthanc's DICOMweb plugin differ from ours, and why that is right.

`classified` walks two data sets and names the class of every difference; the table in
docs/dicomweb-differences.md is written from CLASSES (a test holds it to that).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "dicomweb-differences.md"
Element = dict[str, Any] | None
_FORMS = ("Value", "InlineBinary", "BulkDataURI")


@dataclass(frozen=True)
class Difference:
    path: str
    ours: Element
    theirs: Element

    @property
    def tag(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_private(self) -> bool:
        return any(int(step[3], 16) % 2 for step in self.path.split("/")[0::2])

    def value(self, whose: Element) -> Any:
        return (whose or {}).get("Value")


@dataclass(frozen=True)
class Class:
    """A kind of difference: what is seen, which of both is right by what, how it is known."""

    seen: str
    because: str
    fits: Callable[[Difference], bool]


def _has(element: Element, form: str) -> bool:
    return form in (element or {})


def _same_but_for_spaces(one: Difference) -> bool:
    ours, theirs = one.value(one.ours) or [], one.value(one.theirs) or []
    return [str(x).rstrip(" ") for x in ours] == [str(x).rstrip(" ") for x in theirs]


def _same_names(one: Difference) -> bool:
    def said(value: Any) -> Any:
        return [
            {group: text.rstrip(" ") for group, text in (name or {}).items() if text}
            for name in value
        ]

    return (
        (one.ours or {}).get("vr") == "PN"
        and isinstance(one.value(one.theirs), list)
        and said(one.value(one.ours) or []) == said(one.value(one.theirs))
    )


def _names_of_code_extensions(one: Difference) -> bool:
    """Ours is beyond ASCII where theirs shows the bytes between the escapes."""
    ours, theirs = one.value(one.ours), one.value(one.theirs)
    if (one.ours or {}).get("vr") != "PN" or not ours or not theirs:
        return False
    groups = ("Ideographic", "Phonetic")
    pairs = [(ours[0].get(group, ""), theirs[0].get(group, "")) for group in groups]
    return any(own and not own.isascii() and other.isascii() for own, other in pairs)


def _nearly_the_same_numbers(one: Difference) -> bool:
    ours, theirs = one.value(one.ours), one.value(one.theirs)
    return (
        (one.ours or {}).get("vr") in ("DS", "FL", "FD")
        and isinstance(ours, list)
        and isinstance(theirs, list)
        and len(ours) == len(theirs)
        and all(abs(a - b) <= 1e-5 * max(abs(a), 1) for a, b in zip(ours, theirs, strict=True))
    )


def _is_short_binary(one: Difference) -> bool:
    return _has(one.ours, "InlineBinary") and (
        _has(one.theirs, "BulkDataURI") or _has(one.theirs, "Value")
    )


def _is_single_text(one: Difference) -> bool:
    theirs = one.value(one.theirs)
    return (
        (one.ours or {}).get("vr") in ("ST", "LT", "UT")
        and isinstance(theirs, list)
        and one.value(one.ours) == ["\\".join(map(str, theirs))]
    )


def _has_empty_items(one: Difference) -> bool:
    ours = one.value(one.ours)
    return isinstance(ours, list) and {} in ours


CLASSES: list[Class] = [
    Class(
        "Available Transfer Syntax UID (0008,3002) is given by openpacs alone.",
        "PS3.18 10.6.3.3.3 has it at the level of instances; it saves a viewer a request.",
        lambda one: one.tag == "00083002" and one.theirs is None,
    ),
    Class(
        "Pixel Data (7FE0,0010) of compressed images is pointed to by openpacs alone.",
        "The plugin points to what it would send as one value; openpacs to every value there is, "
        "and a test resolves each.",
        lambda one: one.tag == "7FE00010" and one.theirs is None and _has(one.ours, "BulkDataURI"),
    ),
    Class(
        "Float pixel data and spectroscopy data (OF, OD) are pointed to by openpacs; the plugin "
        "writes the first value only.",
        "One number is not an image, nor a spectrum (PS3.3 C.7.6.24, C.8.14.4).",
        lambda one: (
            (one.ours or {}).get("vr") in ("OF", "OD")
            and _has(one.ours, "BulkDataURI")
            and len(one.value(one.theirs) or []) == 1
        ),
    ),
    Class(
        "Data Set Trailing Padding (FFFC,FFFC) is given by Orthanc alone.",
        "It stands behind the pixels and has no meaning (PS3.10 7.2).",
        lambda one: one.tag == "FFFCFFFC" and one.ours is None,
    ),
    Class(
        "Private attributes: Orthanc has UN, another form, or leaves them out.",
        "openpacs reads them by the private dictionary of pydicom, with the result of pydicom.",
        lambda one: one.is_private and one.ours is not None,
    ),
    Class(
        "Short binary values are inline in openpacs, referred to (or written as a list whose "
        "first value alone is there) in Orthanc.",
        "PS3.18 F.2.7 leaves the choice; up to 16 KiB inline saves a request for each. OB, OD, OF, "
        "OL, OV, OW have InlineBinary or BulkDataURI, no Value (table F.2.3-1).",
        _is_short_binary,
    ),
    Class(
        "Component groups of a name that are empty are left out by openpacs, and are empty texts "
        "in Orthanc.",
        "PS3.18 F.2.2: a group without a value has no member.",
        _same_names,
    ),
    Class(
        "Japanese names in ISO 2022: Orthanc shows the bytes between the escapes.",
        "Code extensions (PS3.5 6.1.2.5) are followed by openpacs and by pydicom.",
        _names_of_code_extensions,
    ),
    Class(
        "An empty value before others is null in openpacs, and missing in Orthanc.",
        "PS3.18 F.2.5; in (0008,0005) it stands for ISO-IR 6.",
        lambda one: (
            isinstance(one.value(one.ours), list)
            and one.value(one.ours)[:1] == [None]
            and one.value(one.ours)[1:] == one.value(one.theirs)
        ),
    ),
    Class(
        "Texts of several values: Orthanc keeps the spaces that pad each.",
        "Trailing spaces are not significant (PS3.5 6.2).",
        _same_but_for_spaces,
    ),
    Class(
        "Decimal numbers: Orthanc rounds to fewer digits.",
        "openpacs gives the number of the file, as pydicom does.",
        _nearly_the_same_numbers,
    ),
    Class(
        "ST, LT, UT with a backslash: Orthanc splits them into values.",
        "These have one value, in which a backslash is a character (PS3.5 6.2).",
        _is_single_text,
    ),
    Class(
        "Empty items of sequences are left out by Orthanc.",
        "An item without attributes is an item (PS3.18 F.2.5).",
        _has_empty_items,
    ),
    Class(
        "Palette descriptors (0028,1101)-(0028,1103) of segmented palettes are left out by "
        "Orthanc.",
        "They are in the file, and pydicom reads them as openpacs does.",
        lambda one: one.tag in ("00281101", "00281102", "00281103") and one.theirs is None,
    ),
]


def differences(
    ours: dict[str, Any], theirs: dict[str, Any], path: str = ""
) -> Iterator[Difference]:
    for tag in sorted(ours.keys() | theirs.keys()):
        here = f"{path}{tag}"
        one, other = ours.get(tag), theirs.get(tag)
        if one is None or other is None:
            yield Difference(here, one, other)
        elif one["vr"] == other["vr"] == "SQ":
            yield from _of_items(one, other, here)
        elif one["vr"] != other["vr"] or not _is_same(one, other):
            yield Difference(here, one, other)


def classes_of(difference: Difference) -> list[Class]:
    return [one for one in CLASSES if one.fits(difference)]


def page() -> str:
    """The table, as it has to stand in the documentation."""
    rows = "\n".join(f"| {one.seen} | {one.because} |" for one in CLASSES)
    return f"{_HEAD}\n| Seen | Because |\n|---|---|\n{rows}\n"


_HEAD = """\
# Metadata beside another implementation

`tests/dicomweb/test_metadata_peer.py` stores every file of the public sample data in openpacs and
in Orthanc 1.10.1 with its DICOMweb plugin 1.7, and compares the metadata of both, attribute by
attribute, items of sequences included. Every difference belongs to a class of this table; one
that belongs to none fails the test, and so does a class that nothing belongs to.

The same test holds that the metadata of all these files equal those that pydicom makes of them,
but for the form of binary values, which F.2.7 of PS3.18 leaves open, and for group lengths, which
F.2.2 forbids; and that everything they point to can be fetched.
"""


def _of_items(one: dict[str, Any], other: dict[str, Any], here: str) -> Iterator[Difference]:
    items, others = one.get("Value", []), other.get("Value", [])
    if len(items) != len(others):
        yield Difference(here, one, other)
        return
    for number, (item, another) in enumerate(zip(items, others, strict=True)):
        yield from differences(item or {}, another or {}, f"{here}/{number}/")


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """The same value in the same form; addresses differ by nature."""
    forms = [[form for form in _FORMS if form in whose] for whose in (one, other)]
    if forms[0] != forms[1]:
        return False
    if "BulkDataURI" in one:
        return True
    return all(one.get(form) == other.get(form) for form in _FORMS)
