"""Does ingest slow down with a million instances in the index? `python -m benchmarks.million`.

On PostgreSQL, two departments of one cluster: an empty one, and one whose index was filled
with rows as ingest writes them. Takes minutes; QUICK=1 leaves it out.
"""

import itertools
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks import clients, data, machine
from benchmarks.engines import at_scale
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare, skipped
from benchmarks.rounds import Reading, interleaved, say

INSTANCES = 1_000_000
PER_STUDY = 100
ASSOCIATIONS = 4
KINDS = {"large": "CT 530 KB", "small": "CT/MR 10-39 KB"}
CASES = {
    kind: Case(
        name=f"{said}, {ASSOCIATIONS} associations, {INSTANCES:,} in the index",
        unit="instances/s",
        gate=Gate(0.9, 1.0),
    )
    for kind, said in KINDS.items()
}


def measure(bench: Bench) -> Iterator[Row]:
    if bench.plan.quick:
        for case in CASES.values():
            yield skipped(case, "it takes minutes; run it without QUICK=1", bench.where)
        return
    with at_scale() as engine:
        empty = Openpacs(bench.place("empty"), engine)
        empty.prepare()
        full = empty.beside(bench.place("full"), "full")
        full.renew()
        say(f"Filling the index with {INSTANCES:,} instances")
        template = data.files("large", 1)[0]
        full.fill("studies", str(INSTANCES // PER_STUDY), str(PER_STUDY), str(template))
        turns = itertools.count(1)
        for kind, case in CASES.items():
            read = {
                "full": partial(_cell, full, kind, turns, bench.plan, fresh=False),
                "empty": partial(_cell, empty, kind, turns, bench.plan, fresh=True),
            }
            readings = interleaved(case.name, read, rounds=bench.plan.rounds)
            yield compare(case, readings["full"], readings["empty"], bench.where)


def _cell(
    department: Openpacs, kind: str, turns: Iterator[int], plan: Plan, *, fresh: bool
) -> Reading:
    """New instances each time: what is there already would be no work."""
    turn = next(turns)
    files = data.fresh(kind, plan.instances(kind), turn)
    shares = data.share_out(files, ASSOCIATIONS)
    department.engine.forget_messages()
    with department.running(fresh=fresh) as server:
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        before = machine.cpu_seconds(server.roots)
        seconds = clients.send(server, shares)
        found = clients.instances(server, data.study_uids(kind, turn))
        cpu = machine.cpu_seconds(server.roots) - before
        if not fresh:
            department.finish(server)
    if found != len(files):
        raise BenchmarkError(f"a query after the release finds {found} of {len(files)} instances")
    return Reading(value=found / seconds, cpu_ms=1000 * cpu / found, busy=busy)


if __name__ == "__main__":
    sys.exit(perform("million", measure))
