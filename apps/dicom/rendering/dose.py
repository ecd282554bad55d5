"""Dose reports in tables: what was given in all, then every irradiation (PS3.16 TID 10001 ff.)."""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.dicom.structured_report import Item

# PS3.16 table D-1. English names serve where a report gives a code and no meaning.
_EVENTS = frozenset({"113819", "113706", "113502"})  # CT, X-ray, radiopharmaceutical
_COLUMNS = {
    "111526": "DateTime Started",
    "125203": "Acquisition Protocol",
    "123014": "Target Region",
    "113820": "CT Acquisition Type",
    "113721": "Irradiation Event Type",
    "113764": "Acquisition Plane",
    "113733": "KVP",
    "113734": "X-Ray Tube Current",
    "113833": "Maximum X-Ray Tube Current",
    "113824": "Exposure Time",
    "113834": "Exposure Time per Rotation",
    "113736": "Exposure",
    "113825": "Scanning Length",
    "113828": "Pitch Factor",
    "113830": "Mean CTDIvol",
    "113835": "CTDIw Phantom Type",
    "113838": "DLP",
    "122130": "Dose Area Product",
    "113738": "Dose (RP)",
    "111631": "Average Glandular Dose",
    "112011": "Positioner Primary Angle",
    "112012": "Positioner Secondary Angle",
    "113750": "Distance Source to Detector",
    "113748": "Distance Source to Isocenter",
    "113790": "Collimated Field Area",
    "113507": "Administered activity",
    "113839": "Effective Dose",
}
_MOST_EVENTS = 500


@dataclass(frozen=True)
class Table:
    """A heading for each column; no headings where each row is a name and its value."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def dose_tables(root: Item, words: Mapping[str, str]) -> list[Table]:
    """Totals and irradiations; none where the report tells of no irradiation."""
    items = list(root.everything())
    events = [one for one in items if one.code in _EVENTS and one.children]
    if not events:
        return []
    within = {item.place for event in events for item in event.everything()}
    totals = [
        [shown_name(one), one.value]
        for one in items
        if one.kind == "NUM" and one.value and one.place not in within
    ]
    tables = [Table(words["totals"], [], totals)] if totals else []
    return [*tables, _table_of(events[:_MOST_EVENTS], words)]


def shown_name(item: Item) -> str:
    """What the report calls an item, else what the standard does."""
    known = _COLUMNS.get(item.code, "")
    return known if known and item.name in ("", item.code) else item.name


def _table_of(events: list[Item], words: Mapping[str, str]) -> Table:
    """One row for each; columns that no event has a value for are left out."""
    found = [_values(event) for event in events]
    codes = [code for code in _COLUMNS if any(code in one for one in found)]
    named = {item.code: shown_name(item) for event in events for item in event.everything()}
    rows = [
        [str(index), *(", ".join(one.get(code, [""])) for code in codes)]
        for index, one in enumerate(found, start=1)
    ]
    return Table(words["events"], [words["number"], *(named[code] for code in codes)], rows)


def _values(event: Item) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in event.everything():
        if item.code in _COLUMNS and item.value and item.value not in found.get(item.code, []):
            found.setdefault(item.code, []).append(item.value)
    return found
