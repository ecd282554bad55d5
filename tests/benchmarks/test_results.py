"""Figures of benchmarks become ratios, verdicts and tables."""

from pathlib import Path

import pytest

from benchmarks import page, results
from benchmarks.machine import parse_stat
from benchmarks.processes import BenchmarkError
from benchmarks.results import Case, Gate, Row, Surroundings, compare
from benchmarks.rounds import Reading, Readings, interleaved

WHERE = Surroundings(versions={"Orthanc": "1.10.1"}, machine={"memory": "24 GiB"}, quick=False)
RATE = Case(name="CT, 4 associations", unit="instances/s", gate=Gate(2.0, 3.5))


def readings(*values: float) -> Readings:
    return Readings([Reading(value=value, cpu_ms=value / 10, busy=0.05) for value in values])


def row_of(case: Case, ours: Readings, peer: Readings) -> Row:
    return compare(case, ours, peer, WHERE)


def test_the_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    # The ratio of the medians would be 300 / 100; round by round it is 1, 1.5 and 8.
    row = row_of(RATE, readings(100, 300, 400), readings(100, 200, 50))
    assert row["ratio"] == 1.5
    assert (row["lowest_ratio"], row["highest_ratio"]) == (1, 8)
    assert (row["ours"], row["peer"], row["rounds"]) == (300, 100, 3)


def test_less_time_is_ahead_where_less_is_better() -> None:
    times = Case(name="Exact key", unit="ms", more_is_better=False)
    assert row_of(times, readings(20), readings(50))["ratio"] == 2.5


@pytest.mark.parametrize(("peer", "verdict"), [(100, "pass"), (100.1, "missed")])
def test_a_gate_is_passed_when_it_is_reached(peer: float, verdict: str) -> None:
    row = row_of(RATE, readings(200), readings(peer))
    assert results.verdict(row) == verdict
    assert results.all_passed([row]) == (verdict == "pass")


def test_a_case_that_failed_does_not_pass_even_without_a_gate() -> None:
    ours = Readings([Reading(value=500)], failure="a query finds 99 of 100 instances")
    row = row_of(Case(name="Nagle", unit="instances/s"), ours, readings(100))
    assert row["ratio"] is None
    assert not results.all_passed([row])
    assert "Nagle: a query finds 99 of 100 instances" in results.text_table([row])


def test_a_skipped_case_is_shown_and_does_not_fail_the_run() -> None:
    row = results.skipped(RATE, "it takes minutes", WHERE)
    assert results.all_passed([row])
    assert "skipped" in results.text_table([row])
    assert "CT, 4 associations: it takes minutes" in results.markdown_table([row])


def test_costs_are_medians_and_the_busiest_cell_is_told() -> None:
    row = row_of(RATE, readings(10, 20, 90), readings(5, 5, 5))
    assert row["ours_cpu_ms"] == 2
    assert row["peer_cpu_ms"] == 0.5
    assert row["busy"] == 0.05


def test_rounds_swap_their_order_and_a_failed_contestant_is_left_out() -> None:
    order: list[str] = []

    def read(name: str) -> Reading:
        order.append(name)
        if name == "peer" and order.count("peer") == 2:
            raise BenchmarkError("gone")
        return Reading(value=1)

    found = interleaved(
        "case", {"ours": lambda: read("ours"), "peer": lambda: read("peer")}, rounds=3
    )
    assert order == ["ours", "peer", "peer", "ours", "ours"]
    assert len(found["ours"].rounds) == 3
    assert found["peer"].failure == "gone"


def test_results_are_read_back_and_make_a_page_in_the_order_of_the_benchmarks(
    tmp_path: Path,
) -> None:
    rows = [row_of(RATE, readings(300, 310), readings(100, 100))]
    results.write(rows, tmp_path / "store.json")
    results.write(rows, tmp_path / "find.json")
    assert results.read(tmp_path / "store.json") == rows
    text = page.render(tmp_path)
    assert text.index("## C-STORE") < text.index("## C-FIND")
    assert "| CT, 4 associations | instances/s | 305 | 100 | 3.05 | 3.00-3.10 |" in text
    assert "| 2.00 | 3.50 | pass |" in text
    assert "Busy before a cell: at most 5%." in text


def test_a_process_with_a_strange_name_is_read() -> None:
    fields = "S 1 0 0 0 -1 0 0 0 0 0 150 50 20 5 20 0 1 0 0"
    found = parse_stat(f"42 (a ) b) {fields}")
    assert (found.pid, found.name, found.parent) == (42, "a ) b", 1)
    assert found.user > found.system > found.waited > 0
