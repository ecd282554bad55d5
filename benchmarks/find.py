"""C-FIND at study level beside Orthanc: `python -m benchmarks.find`.

The same 10,000 studies in both; the figure is the whole findscu process.
"""

import http.client
import shutil
import statistics
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import clients, data, machine
from benchmarks.clients import Server
from benchmarks.contestants import Contestant
from benchmarks.engines import Embedded, at_scale
from benchmarks.made_up import MadeUp, days_with, studies, tiny_file
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan, scratch
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved, say

Contestants = dict[str, Contestant]
Ask = Callable[[Server], float]  # seconds of the whole client process

STUDIES = 10_000
EXACT = MadeUp(STUDIES // 2)
RETURNED = ("StudyInstanceUID", "PatientName", "StudyTime", "StudyDescription")
GATE = Gate(1.5, 2.5)
REPEATS = 9  # of a query within a cell: processor time is counted in steps of 10 ms
UPLOADERS = 6


def measure(bench: Bench) -> Iterator[Row]:
    orthanc = Orthanc(bench.place("orthanc"), storage=filled_storage(bench.place("filling")))
    with at_scale() as engine:
        embedded = Openpacs(bench.place("embedded"), Embedded())
        scaled = Openpacs(bench.place("scaled"), engine)
        for department in (embedded, scaled):
            department.prepare()
            department.renew()
            department.fill("studies", str(STUDIES), "1", str(data.files("small", 1)[0]))
        contestants: Contestants = {"openpacs": embedded, engine.name: scaled, "Orthanc": orthanc}
        for name, (ask, gate) in QUESTIONS.items():
            read = {who: partial(_cell, one, ask, bench.plan) for who, one in contestants.items()}
            readings = interleaved(name, read, rounds=bench.plan.rounds)
            orthanc_too = readings.pop("Orthanc")
            for who, reached in readings.items():
                yield compare(_case(name, who, gate), reached, orthanc_too, bench.where)


def _case(name: str, who: str, gate: Gate | None) -> Case:
    """The gates are for what is shipped; other engines have their figures beside it."""
    if who == "openpacs":
        return Case(name=name, unit="ms", more_is_better=False, gate=gate)
    return Case(name=f"{name}, {who}", unit="ms", more_is_better=False)


def _query(answers: int, *keys: str) -> Ask:
    def ask(server: Server) -> float:
        found = clients.find(server, *keys, *RETURNED)
        if found.answers != answers:
            raise BenchmarkError(f"{found.answers} answers instead of {answers}")
        return found.seconds

    return ask


QUESTIONS: dict[str, tuple[Ask, Gate | None]] = {
    # How much of the times below is the client's start and the association.
    "C-ECHO, for comparison": (clients.echo, None),
    "Exact Patient ID": (
        _query(1, f"PatientID={EXACT.patient_id}", "StudyDate", "AccessionNumber"),
        GATE,
    ),
    "Exact accession number": (
        _query(1, f"AccessionNumber={EXACT.accession_number}", "StudyDate", "PatientID"),
        GATE,
    ),
    "Dates, 400 answers": (
        _query(400, f"StudyDate={days_with(400, STUDIES)}", "PatientID", "AccessionNumber"),
        GATE,
    ),
    "Dates, 2,000 answers": (
        _query(2000, f"StudyDate={days_with(2000, STUDIES)}", "PatientID", "AccessionNumber"),
        GATE,
    ),
}


def _cell(contestant: Contestant, ask: Ask, plan: Plan) -> Reading:
    with contestant.running(fresh=False) as server:
        ask(server)  # whatever is loaded at the first query
        busy = machine.wait_until_quiet(plan.quiet_seconds)
        before = machine.cpu_seconds(server.roots)
        seconds = statistics.median(ask(server) for _ in range(REPEATS))
        cpu = machine.cpu_seconds(server.roots) - before
    return Reading(value=1000 * seconds, cpu_ms=1000 * cpu / REPEATS, busy=busy)


def filled_storage(folder: Path) -> Path:
    """Orthanc's storage with all studies, made once per scratch folder and version of it."""
    storage = scratch() / f"orthanc-{STUDIES}-v{data.VERSION}"
    if not storage.exists():
        partial = storage.with_name(f"{storage.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        say(f"Filling Orthanc with {STUDIES} studies, once")
        orthanc = Orthanc(folder, storage=partial)
        with orthanc.running():
            _upload(orthanc.http_port)
            stored = orthanc.statistics()["CountStudies"]
        if stored != STUDIES:
            raise BenchmarkError(f"Orthanc holds {stored} of {STUDIES} studies")
        partial.rename(storage)
    return storage


def _upload(port: int) -> None:
    todo, lock = studies(STUDIES), threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                study = next(todo, None)
            if study is None:
                connection.close()
                return
            connection.request("POST", "/instances", tiny_file(study))
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchmarkError(f"Orthanc refused a file with {answer.status}")

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for result in [pool.submit(work) for _ in range(UPLOADERS)]:
            result.result()


if __name__ == "__main__":
    sys.exit(perform("find", measure))
