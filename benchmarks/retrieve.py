"""C-MOVE and C-GET of a study of 100 x 530 KB beside Orthanc: `python -m benchmarks.retrieve`.

C-MOVE goes to DCMTK's storescp, which throws away what it gets, over one association and
over two; C-GET to getscu, which writes the files. Times are of whole client processes.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks import clients, data, machine
from benchmarks.clients import Server
from benchmarks.contestants import Contestant, fill
from benchmarks.engines import Embedded
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved

INSTANCES = 100
REPEATS = 3  # retrievals within a cell

Retrieval = Callable[[Server], float]


def measure(bench: Bench) -> Iterator[Row]:
    study, files = data.one_study("large", INSTANCES)
    one, two = clients.destination("DEST1"), clients.destination("DEST2")
    with ExitStack() as stack:
        for destination in (one, two):
            stack.enter_context(clients.receiving(destination, bench.folder))
        orthanc = Orthanc(bench.place("orthanc"), [one, two])
        department = Openpacs(bench.place("embedded"), Embedded(), [(one, 1), (two, 2)])
        department.prepare()
        for contestant in (department, orthanc):
            fill(contestant, [study], [files])
        retrievals: dict[str, tuple[Gate, Retrieval]] = {
            "C-MOVE, 1 association": (
                Gate(1.0, 2.0),
                partial(clients.move, study=study, destination=one),
            ),
            "C-MOVE, 2 associations": (
                Gate(1.5, 2.0),
                partial(clients.move, study=study, destination=two),
            ),
            "C-GET": (Gate(1.1, 1.5), partial(clients.get, study=study, instances=INSTANCES)),
        }
        for name, (gate, retrieve) in retrievals.items():
            read = {
                "openpacs": partial(_cell, department, retrieve, bench.plan),
                "Orthanc": partial(_cell, orthanc, retrieve, bench.plan),
            }
            readings = interleaved(name, read, rounds=bench.plan.rounds)
            case = Case(name=name, unit="instances/s", gate=gate)
            yield compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _cell(contestant: Contestant, retrieve: Retrieval, plan: Plan) -> Reading:
    with contestant.running(fresh=False) as server:
        retrieve(server)  # whatever is loaded at the first, and the files into memory
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        before = machine.cpu_seconds(server.roots)
        seconds = sum(retrieve(server) for _ in range(REPEATS))
        cpu = machine.cpu_seconds(server.roots) - before
    retrieved = REPEATS * INSTANCES
    return Reading(value=retrieved / seconds, cpu_ms=1000 * cpu / retrieved, busy=busy)


if __name__ == "__main__":
    sys.exit(perform("retrieve", measure))
