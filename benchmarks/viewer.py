"""The viewer at openpacs and at Orthanc, in Chromium: `python -m benchmarks.viewer`.

Times are those of the person who waits: from the start of the navigation to the first image
that has pixels on the screen, or to the last slice of a volume.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks import clients, data, machine
from benchmarks.contestants import fill
from benchmarks.engines import Embedded
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError, running, wait_for_port
from benchmarks.program import Bench, perform
from benchmarks.results import Case, Gate, Row, compare
from benchmarks.rounds import Reading, interleaved_cases
from openpacs.install import ROOT
from tests.chromium import QUIET
from tests.prepare import find_program
from tests.servers import free_port

SLICES = 94
SECONDS = {True: 120, False: 60}  # longest wait for an image
GATE = Gate(1.25, 1.6)  # ours takes at most 0.8 of the time
COLD, WARM = "First image, new browser profile", "First image, second load"
VOLUME, NEXT = f"All {SLICES} slices of an MPR", "First image of the next study"
CASES = {COLD: None, WARM: GATE, VOLUME: None, NEXT: None}
# Notes when the first canvas with an image was drawn, and when the volumes are whole.
WATCH = """
window.bench = {};
const probe = new OffscreenCanvas(16, 16).getContext("2d", { willReadFrequently: true });
function drawn(canvas) {
  probe.clearRect(0, 0, 16, 16);
  probe.drawImage(canvas, 0, 0, 16, 16);
  const pixels = probe.getImageData(0, 0, 16, 16).data.filter((_, at) => at % 4 === 0);
  return Math.max(...pixels) > Math.min(...pixels) + 8;
}
document.addEventListener("CORNERSTONE_IMAGE_RENDERED", (event) => {
  const canvas = event.target.querySelector?.("canvas");
  if (!window.bench.image && canvas && drawn(canvas)) window.bench.image = performance.now();
}, true);
setInterval(() => {
  const volumes = window.cornerstone?.cache?.getVolumes?.() ?? [];
  const whole = volumes.length && volumes.every((one) => one.loadStatus?.loaded);
  if (whole && !window.bench.volume) {
    window.bench.volume = performance.now();
    window.bench.slices = Math.max(...volumes.map((one) => one.imageIds.length));
  }
}, 20);
"""


class Person:
    """Somebody at a browser, at one contestant."""

    def __init__(self, context: BrowserContext, address: str, seconds: int) -> None:
        self.page: Page = context.pages[0]
        self.address, self.seconds = address, seconds
        context.add_init_script(WATCH)

    def opened(self, study: str, **query: str) -> None:
        asked = urlencode({"StudyInstanceUIDs": study, **query})
        self.page.goto(f"{self.address}/viewer/viewer?{asked}", wait_until="commit")

    def waited(self, what: str) -> float:
        """Milliseconds from the start of the navigation."""
        try:
            self.page.wait_for_function(
                f"window.bench?.{what}", polling=50, timeout=1000 * self.seconds
            )
        except BrowserError as problem:
            raise BenchmarkError(f"no {what} at {self.address}: {problem}") from None
        return float(self.page.evaluate(f"window.bench.{what}"))

    def left(self) -> None:
        """To a small page of the same site, as one comes to the viewer from a list of studies.

        From about:blank a site with Cross-Origin-Opener-Policy, as openpacs, gets a new process
        each time, which compiles all scripts anew; one without, as the front, does not.
        """
        self.page.goto(f"{self.address}/viewer/assets/favicon.ico")


def measure(bench: Bench) -> Iterator[Row]:
    """Each contestant shows the same two studies: one of 94 slices, and one that comes next."""
    volume, _, files = data.one_series(SLICES)
    following, more = data.one_study("large", 25)
    orthanc = Orthanc(bench.place("orthanc"))
    department = Openpacs(bench.place("embedded"), Embedded())
    department.prepare()
    for contestant in (department, orthanc):
        fill(contestant, [volume, following], [files, more])
    department.fill("metadata", "keep")
    cookie = department.fill("session")

    def ours() -> Mapping[str, Reading]:
        with department.running(fresh=False):
            site = f"http://localhost:{department.http_port}"
            return _all(bench, site, volume, following, cookie=cookie)

    def theirs() -> Mapping[str, Reading]:
        with orthanc.running(fresh=False), _front(orthanc, bench.folder) as site:
            return _all(bench, site, volume, following, cookie="")

    read = {"openpacs": ours, "Orthanc": theirs}
    found = interleaved_cases(read, cases=CASES, rounds=bench.plan.rounds)
    for name, gate in CASES.items():
        case = Case(name=name, unit="ms", more_is_better=False, gate=gate)
        yield compare(case, found["openpacs"][name], found["Orthanc"][name], bench.where)


def _all(
    bench: Bench, site: str, volume: str, following: str, *, cookie: str
) -> Mapping[str, Reading]:
    """All cases, in two browsers with profiles of their own: nobody knows the volume's slices."""
    with _browsing(bench, site, cookie) as person:
        found = {
            COLD: _timed(bench.plan, person, "image", lambda: person.opened(volume)),
            WARM: _timed(bench.plan, person, "image", lambda: person.opened(volume)),
            NEXT: _next(bench.plan, person, volume, following, prefetching=bool(cookie)),
        }
    with _browsing(bench, site, cookie) as person:
        person.opened(following)
        person.waited("image")
        return {**found, VOLUME: _whole_volume(bench.plan, person, volume)}


def _timed(plan: Plan, person: Person, what: str, go: Callable[[], None]) -> Reading:
    person.left()
    busy = machine.wait_until_quiet(plan.quiet_seconds)
    go()
    return Reading(value=person.waited(what), busy=busy)


def _whole_volume(plan: Plan, person: Person, study: str) -> Reading:
    """By a browser that has the viewer's files, and none of the images."""
    found = _timed(plan, person, "volume", lambda: person.opened(study, hangingProtocolId="mpr"))
    slices = person.page.evaluate("window.bench.slices")
    if slices != SLICES:
        raise BenchmarkError(f"a volume of {slices} slices")
    return found


def _next(plan: Plan, person: Person, study: str, other: str, *, prefetching: bool) -> Reading:
    """The study that is opened after one has looked at another; only openpacs has fetched it."""
    person.left()
    person.opened(study)
    person.waited("image")
    if prefetching:
        images = person.page.evaluate(
            "(study) => window.commandsManager.runCommand('openpacsPrefetchStudy', { study })",
            other,
        )
        if not images:
            raise BenchmarkError("nothing of the next study was fetched")
    busy = machine.wait_until_quiet(plan.quiet_seconds)
    person.opened(other)
    return Reading(value=person.waited("image"), busy=busy)


@contextmanager
def _browsing(bench: Bench, site: str, cookie: str) -> Iterator[Person]:
    """A browser whose profile is new, on disk, and gone afterwards."""
    profile = bench.place(f"profile-{len(list(bench.folder.glob('profile-*')))}")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=find_program("chromium"),
            args=[*QUIET, "--enable-unsafe-swiftshader"],
            viewport={"width": 1440, "height": 900},
        )
        if cookie:
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": site}])
        try:
            yield Person(context, site, SECONDS[bench.plan.quick])
        finally:
            context.close()


@contextmanager
def _front(orthanc: Orthanc, folder: Path) -> Iterator[str]:
    """The viewer's files before Orthanc; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.viewer_front", str(port), str(orthanc.http_port)]
    log = folder / "front.log"
    with running(
        command, log=log, environment=clients.environment(), stop=signal.SIGTERM, folder=ROOT
    ) as process:
        wait_for_port(port, process, log)
        yield f"http://localhost:{port}"


if __name__ == "__main__":
    sys.exit(perform("viewer", measure))
