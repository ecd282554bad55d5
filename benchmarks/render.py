"""Pictures of a CT study beside Orthanc: `python -m benchmarks.render`.

Rendered images through DICOMweb on both sides; thumbnails beside the small pictures that
Orthanc's own pages show, which it makes anew each time.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from benchmarks import data, machine
from benchmarks.contestants import fill
from benchmarks.engines import Embedded
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Row, compare
from benchmarks.rounds import Reading, interleaved
from benchmarks.web import JSON, Connection, Site, instances_of, read_all

JPEG = "image/jpeg"
LEAST_BYTES = 1000  # of a picture that shows something
PASSES = 10  # over thumbnails that are kept


@dataclass(frozen=True)
class Asked:
    """What is read of every instance: an address below it, and how often."""

    below: str
    accept: str
    clients: int
    kept: bool = False
    passes: int = 1


RENDERED, SMALL = "/rendered", "/rendered?viewport=256,256"
# openpacs, and what Orthanc has that comes nearest: an address below the instance of its
# DICOMweb, or of its own REST (`preview`).
CASES: dict[str, tuple[Asked, Asked]] = {
    "Rendered as JPEG, 1 client": (Asked(RENDERED, JPEG, 1), Asked(RENDERED, JPEG, 1)),
    "Rendered as JPEG, 8 clients": (Asked(RENDERED, JPEG, 8), Asked(RENDERED, JPEG, 8)),
    "Rendered in 256 pixels, 8 clients": (Asked(SMALL, JPEG, 8), Asked(SMALL, JPEG, 8)),
    "Thumbnails for the first time, 8 clients": (
        Asked("/thumbnail", JPEG, 8),
        Asked("preview", JPEG, 8),
    ),
    "Thumbnails again, 8 clients": (
        Asked("/thumbnail", JPEG, 8, kept=True, passes=PASSES),
        Asked("preview", JPEG, 8),
    ),
}


def measure(bench: Bench) -> Iterator[Row]:
    count = bench.plan.large
    study, files = data.one_study("large", count)
    orthanc = Orthanc(bench.place("orthanc"))
    department = Openpacs(bench.place("embedded"), Embedded())
    department.prepare()
    for contestant in (department, orthanc):
        fill(contestant, [study], [files])
    cookie = {"Cookie": department.fill("session")}
    for name, (ours, peers) in CASES.items():
        read = {
            "openpacs": partial(_our_cell, department, cookie, study, ours, bench.plan),
            "Orthanc": partial(_orthanc_cell, orthanc, study, peers, bench.plan),
        }
        readings = interleaved(name, read, rounds=bench.plan.rounds)
        case = Case(name=name, unit="images/s")
        yield compare(case, readings["openpacs"], readings["Orthanc"], bench.where)


def _our_cell(
    department: Openpacs, cookie: dict[str, str], study: str, asked: Asked, plan: Plan
) -> Reading:
    with department.running(fresh=False) as server:
        site = Site(department.http_port, cookie)
        paths = [f"{one}{asked.below}" for one in instances_of(site, study)]
        _check(site, paths, asked.accept)
        if asked.kept:
            read_all(site, paths, asked.accept, readers=asked.clients)
        else:
            read_all(site, paths[: asked.clients * 2], asked.accept, readers=asked.clients)
            shutil.rmtree(department.home / "cache", ignore_errors=True)
        return _read(site, paths * asked.passes, asked, server.roots, plan)


def _orthanc_cell(orthanc: Orthanc, study: str, asked: Asked, plan: Plan) -> Reading:
    with orthanc.running(fresh=False) as server:
        site = Site(orthanc.http_port)
        if asked.below == "preview":
            with Connection(site) as connection:
                known = json.loads(connection.get("/instances", JSON).body)
            paths = [f"/instances/{one}/preview" for one in known]
        else:
            paths = [f"{one}{asked.below}" for one in instances_of(site, study)]
        _check(site, paths, asked.accept)
        return _read(site, paths, asked, server.roots, plan)


def _read(
    site: Site, paths: list[str], asked: Asked, roots: tuple[int, ...], plan: Plan
) -> Reading:
    busy = machine.wait_until_quiet(plan.quiet_seconds)
    before = machine.cpu_seconds(roots)
    took = read_all(site, paths, asked.accept, readers=asked.clients)
    spent = machine.cpu_seconds(roots) - before
    return Reading(value=len(paths) / took, cpu_ms=1000 * spent / len(paths), busy=busy)


def _check(site: Site, paths: list[str], accept: str) -> None:
    with Connection(site) as connection:
        answer = connection.get(paths[0], accept)
    if answer.headers.get("content-type") != accept or len(answer.body) < LEAST_BYTES:
        raise BenchmarkError(f"{paths[0]}: no picture")


if __name__ == "__main__":
    sys.exit(perform("render", measure))
