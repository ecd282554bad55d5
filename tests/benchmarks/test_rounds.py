"""Contestants take turns, and one that fails spoils nobody else's figures."""

from collections.abc import Callable, Mapping

from benchmarks.processes import BenchmarkError
from benchmarks.rounds import Reading, interleaved_cases


def test_contestants_that_read_many_cases_take_turns() -> None:
    order: list[str] = []

    def reader(name: str) -> Callable[[], Mapping[str, Reading]]:
        def read() -> Mapping[str, Reading]:
            order.append(name)
            return {case: Reading(value=len(order)) for case in ("exact", "page")}

        return read

    found = interleaved_cases(
        {"ours": reader("ours"), "peer": reader("peer")}, cases=["exact", "page"], rounds=3
    )
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert [one.value for one in found["ours"]["page"].rounds] == [1, 4, 5]
    assert [one.value for one in found["peer"]["exact"].rounds] == [2, 3, 6]


def test_one_that_fails_is_left_out_with_the_reason() -> None:
    turns = iter([{"exact": Reading(value=1)}])

    def failing() -> Mapping[str, Reading]:
        for readings in turns:
            return readings
        raise BenchmarkError("it hung up")

    found = interleaved_cases(
        {"ours": lambda: {"exact": Reading(value=2)}, "peer": failing}, cases=["exact"], rounds=3
    )
    assert found["peer"]["exact"].failure == "it hung up"
    assert len(found["peer"]["exact"].rounds) == 1
    assert len(found["ours"]["exact"].rounds) == 3


def test_one_that_never_answered_has_its_reason_in_every_case() -> None:
    def hung_up() -> Mapping[str, Reading]:
        raise ConnectionResetError("by the peer")

    found = interleaved_cases({"peer": hung_up}, cases=["exact", "page"], rounds=2)
    assert [one.failure for one in found["peer"].values()] == ["by the peer"] * 2
    assert not any(one.rounds for one in found["peer"].values())
