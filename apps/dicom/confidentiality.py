"""What becomes of an attribute that may tell who somebody is (PS3.15 annex E, edition 2026d).

The two tables beside this file hold the action codes of tables E.1-1 (attributes) and E.3.4-1
(concept names of content items): one column for the Basic Profile, one for each option.
"""

import csv
import enum
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
EDITION = "2026d"


class Option(enum.StrEnum):
    """Options of the Basic Profile, named as the columns of the tables."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE = "retain_device_identity"
    RETAIN_INSTITUTION = "retain_institution_identity"
    RETAIN_PATIENT = "retain_patient_characteristics"
    FULL_DATES = "retain_longitudinal_full_dates"
    MODIFIED_DATES = "retain_longitudinal_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"


class Method(NamedTuple):
    """A concept of CID 7050 De-identification Method."""

    code: str
    meaning: str


BASIC_PROFILE = Method("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXELS = Method("113101", "Clean Pixel Data Option")
METHODS = {
    Option.CLEAN_GRAPHICS: Method("113103", "Clean Graphics Option"),
    Option.CLEAN_CONTENT: Method("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: Method("113105", "Clean Descriptors Option"),
    Option.FULL_DATES: Method(
        "113106", "Retain Longitudinal Temporal Information Full Dates Option"
    ),
    Option.MODIFIED_DATES: Method(
        "113107", "Retain Longitudinal Temporal Information Modified Dates Option"
    ),
    Option.RETAIN_PATIENT: Method("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE: Method("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: Method("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: Method("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION: Method("113112", "Retain Institution Identity Option"),
}


class Action(enum.Enum):
    """What is done to one element (PS3.15 table E.1-1a), compounds resolved."""

    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    KEEP = "K"
    CLEAN = "C"
    MAP = "U"


# Of a compound the choice that keeps objects valid, whatever the type of the attribute is.
_RESOLVED = {
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "Z/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U*": Action.MAP,
}
# Referenced Study Sequence may be left away nearly everywhere, and be empty nearly nowhere.
_REMOVED_RATHER = frozenset({"00081110"})


class Rule(NamedTuple):
    """One row of a table: the action of the Basic Profile, and of options that change it."""

    basic: Action
    options: dict[Option, Action]

    def action(self, options: Iterable[Option]) -> Action:
        """With these options. Keeping goes before cleaning where two options speak."""
        found = {self.options[one] for one in options if one in self.options}
        if Action.KEEP in found:
            return Action.KEEP
        return Action.CLEAN if found else self.basic


def attribute_rule(tag: int) -> Rule | None:
    """The rule of an attribute that is not private; None where the table does not name it."""
    group = tag >> 16
    if group & 0xFF00 == 0x5000:
        return _attributes()["50xxxxxx"]
    if group & 0xFF00 == 0x6000:
        # An overlay goes or stays as a whole: without its data the rest makes no sense.
        return _attributes()["60xx3000"]
    return _attributes().get(f"{tag:08x}")


def content_rule(scheme: str, code: str) -> Rule | None:
    """The rule of a content item by its concept name."""
    return _contents().get((scheme, code))


@functools.cache
def _attributes() -> dict[str, Rule]:
    with (HERE / "confidentiality.csv").open(encoding="ascii") as table:
        return {row["tag"]: _rule(row) for row in csv.DictReader(table)}


@functools.cache
def _contents() -> dict[tuple[str, str], Rule]:
    with (HERE / "confidentiality_content.csv").open(encoding="ascii") as table:
        return {(row["scheme"], row["code"]): _rule(row) for row in csv.DictReader(table)}


def _rule(row: dict[str, str]) -> Rule:
    options = {option: _action(row[option]) for option in Option if row.get(option)}
    removed = row.get("tag") in _REMOVED_RATHER
    return Rule(Action.REMOVE if removed else _action(row["basic"]), options)


def _action(code: str) -> Action:
    return _RESOLVED.get(code) or Action(code)
