"""Figures into rows, rows into JSON and tables."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from benchmarks.rounds import Reading, Readings


class Row(TypedDict):
    """One line of benchmarks/results/<name>.json; `ratio` above 1: openpacs is ahead."""

    case: str
    ours: float | None  # null where it failed
    peer: float | None
    ratio: float | None
    rounds: int
    versions: dict[str, str]
    machine: dict[str, str]
    unit: NotRequired[str]
    lowest_ratio: NotRequired[float]
    highest_ratio: NotRequired[float]
    ours_cpu_ms: NotRequired[float]
    peer_cpu_ms: NotRequired[float]
    busy: NotRequired[float]  # the highest fraction of the machine in use before a cell
    gate: NotRequired[float]
    aim: NotRequired[float]
    passed: NotRequired[bool]
    failure: NotRequired[str]
    skipped: NotRequired[str]
    quick: NotRequired[bool]


@dataclass(frozen=True)
class Gate:
    """What a ratio has to reach, and what it should reach."""

    least: float
    aim: float


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    unit: str  # of the figures: instances/s, ms
    more_is_better: bool = True
    gate: Gate | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the rows of one run have in common."""

    versions: dict[str, str]
    machine: dict[str, str]
    quick: bool


def ratios(case: Case, ours: Sequence[Reading], peer: Sequence[Reading]) -> list[float]:
    """Round by round, above 1 where ours is ahead."""
    pairs = [(one.value, other.value) for one, other in zip(ours, peer, strict=False)]
    return [one / other if case.more_is_better else other / one for one, other in pairs]


def compare(case: Case, ours: Readings, peer: Readings, where: Surroundings) -> Row:
    """The row of a case; one that failed has no ratio and does not pass."""
    failure = "; ".join(filter(None, (ours.failure, peer.failure)))
    found = [] if failure else ratios(case, ours.rounds, peer.rounds)
    row = Row(
        case=case.name,
        ours=_median([one.value for one in ours.rounds]),
        peer=_median([one.value for one in peer.rounds]),
        ratio=_median(found),
        rounds=min(len(ours.rounds), len(peer.rounds)),
        versions=where.versions,
        machine=where.machine,
        unit=case.unit,
        quick=where.quick,
    )
    if found:
        row["lowest_ratio"], row["highest_ratio"] = _rounded(min(found)), _rounded(max(found))
    _add_costs(row, ours.rounds, peer.rounds)
    if failure:
        row["failure"] = failure
        row["passed"] = False
    _judge(row, case.gate)
    return row


def _add_costs(row: Row, ours: Sequence[Reading], peer: Sequence[Reading]) -> None:
    own = _median([one.cpu_ms for one in ours if one.cpu_ms is not None])
    others = _median([one.cpu_ms for one in peer if one.cpu_ms is not None])
    if own is not None:
        row["ours_cpu_ms"] = own
    if others is not None:
        row["peer_cpu_ms"] = others
    if busy := [one.busy for one in (*ours, *peer) if one.busy is not None]:
        row["busy"] = _rounded(max(busy))


def _judge(row: Row, gate: Gate | None) -> None:
    if gate:
        row["gate"], row["aim"] = gate.least, gate.aim
        row["passed"] = row["ratio"] is not None and row["ratio"] >= gate.least


def skipped(case: Case, why: str, where: Surroundings) -> Row:
    """A case that this run leaves out, so that its absence is seen."""
    row = Row(
        case=case.name,
        ours=None,
        peer=None,
        ratio=None,
        rounds=0,
        versions=where.versions,
        machine=where.machine,
        unit=case.unit,
        quick=where.quick,
        skipped=why,
    )
    if case.gate:
        row["gate"], row["aim"] = case.gate.least, case.gate.aim
    return row


def all_passed(rows: Sequence[Row]) -> bool:
    """False where a gate was missed or a case failed; a case without a gate cannot miss."""
    return all(row.get("passed", True) for row in rows)


def write(rows: Sequence[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> list[Row]:
    rows: list[Row] = json.loads(path.read_text())
    return rows


HEADINGS = (
    *("Case", "Unit", "openpacs", "Peer", "Ratio", "Range", "CPU ms", "Peer's CPU ms"),
    *("Rounds", "Gate", "Aim", ""),
)


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts, in the order of HEADINGS."""
    low, high = row.get("lowest_ratio"), row.get("highest_ratio")
    return (
        row["case"],
        row.get("unit", ""),
        _figure(row["ours"]),
        _figure(row["peer"]),
        _two_digits(row["ratio"]),
        f"{_two_digits(low)}-{_two_digits(high)}" if low is not None else "",
        _two_digits(row.get("ours_cpu_ms")),
        _two_digits(row.get("peer_cpu_ms")),
        str(row["rounds"]),
        _two_digits(row.get("gate")),
        _two_digits(row.get("aim")),
        verdict(row),
    )


def verdict(row: Row) -> str:
    if "skipped" in row:
        return "skipped"
    if "failure" in row:
        return "failed"
    return {True: "pass", False: "missed", None: ""}[row.get("passed")]


def text_table(rows: Sequence[Row]) -> str:
    """For a terminal: columns by spaces, then why cases failed or were skipped."""
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    aligned = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*aligned, *_remarks(rows)])


def markdown_table(rows: Sequence[Row]) -> str:
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *map(cells, rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    remarks = "\n".join(f"- {line}" for line in _remarks(rows))
    return f"{table}\n\n{remarks}\n" if remarks else f"{table}\n"


def _remarks(rows: Sequence[Row]) -> list[str]:
    reasons: Mapping[str, str] = {
        row["case"]: row.get("failure") or row.get("skipped", "") for row in rows
    }
    return [f"{case}: {' '.join(why.split())[:300]}" for case, why in reasons.items() if why]


def _median(values: Sequence[float]) -> float | None:
    return _rounded(statistics.median(values)) if values else None


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
