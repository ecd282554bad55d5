"""C-FIND at study level beside Orthanc: `python -m benchmarks.find`.

The same 10,000 studies in both; the figure is the whole findscu process.
"""

import http.client
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import clients, data, machine, made_up
from benchmarks.engines import Embedded, at_scale
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan, scratch
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved, say

Contestant = Openpacs | Orthanc
Contestants = dict[str, Contestant]

STUDIES = 10_000
EXACT = made_up.MadeUp(STUDIES // 2)
RETURNED = ("StudyInstanceUID", "PatientName", "StudyTime", "StudyDescription")
# Case -> how many answers, and the keys with values.
QUERIES = {
    "Exact Patient ID": (1, (f"PatientID={EXACT.patient_id}", "StudyDate", "AccessionNumber")),
    "Accession number": (
        1,
        (f"AccessionNumber={EXACT.accession_number}", "StudyDate", "PatientID"),
    ),
    "Dates, 400 answers": (
        400,
        (f"StudyDate={made_up.days_with(400, STUDIES)}", "PatientID", "AccessionNumber"),
    ),
    "Dates, 2,000 answers": (
        2000,
        (f"StudyDate={made_up.days_with(2000, STUDIES)}", "PatientID", "AccessionNumber"),
    ),
}
GATE = Gate(1.5, 2.5)
REPEATS = 5  # of a query within a cell: a processor's clock ticks in steps of 10 ms
UPLOADERS = 6


def measure(bench: Bench) -> Iterator[Row]:
    orthanc = Orthanc(bench.place("orthanc"), storage=_filled_storage(bench.place("filling")))
    with at_scale() as engine:
        embedded = Openpacs(bench.place("embedded"), Embedded())
        scaled = Openpacs(bench.place("scaled"), engine)
        for department in (embedded, scaled):
            department.prepare()
            department.renew()
            department.fill("studies", str(STUDIES), "1", str(data.files("small", 1)[0]))
        contestants: Contestants = {"openpacs": embedded, engine.name: scaled, "Orthanc": orthanc}
        for name in QUERIES:
            yield from _times(bench, name, contestants)


def _times(bench: Bench, name: str, contestants: Contestants) -> Iterator[Row]:
    """A row for each engine of openpacs, against the same cells of Orthanc."""
    read = {who: _cell(one, name, bench.plan) for who, one in contestants.items()}
    readings = interleaved(name, read, rounds=bench.plan.rounds)
    orthanc = readings.pop("Orthanc")
    as_shipped = Case(name=name, unit="ms", more_is_better=False, gate=GATE)
    yield compare(as_shipped, readings.pop("openpacs"), orthanc, bench.where)
    for engine, reached in readings.items():
        case = Case(name=f"{name}, {engine}", unit="ms", more_is_better=False)
        yield compare(case, reached, orthanc, bench.where)


def _cell(contestant: Contestant, name: str, plan: Plan) -> Callable[[], Reading]:
    expected, keys = QUERIES[name]

    def read() -> Reading:
        with contestant.running(fresh=False) as server:
            clients.find(server, *keys, *RETURNED)  # whatever is loaded at the first query
            busy = machine.wait_until_quiet(plan.quiet_seconds)
            before = machine.cpu_seconds(server.roots)
            found = [clients.find(server, *keys, *RETURNED) for _ in range(REPEATS)]
            cpu = machine.cpu_seconds(server.roots) - before
        if wrong := {one.answers for one in found} - {expected}:
            raise BenchmarkError(f"{sorted(wrong)} answers instead of {expected}")
        seconds = sorted(one.seconds for one in found)[REPEATS // 2]
        return Reading(value=1000 * seconds, cpu_ms=1000 * cpu / REPEATS, busy=busy)

    return read


def _filled_storage(folder: Path) -> Path:
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
    todo, lock = made_up.studies(STUDIES), threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                study = next(todo, None)
            if study is None:
                connection.close()
                return
            connection.request("POST", "/instances", made_up.tiny_file(study))
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise BenchmarkError(f"Orthanc refused a file with {answer.status}")

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for result in [pool.submit(work) for _ in range(UPLOADERS)]:
            result.result()


if __name__ == "__main__":
    sys.exit(perform("find", measure))
