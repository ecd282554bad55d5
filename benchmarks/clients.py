"""The DICOM tools of DCMTK as clients, the same for every contestant.

Those of /usr/bin: pynetdicom puts programs of the same names into a virtual environment.
DCMTK leaves Nagle's algorithm on unless TCP_NODELAY=1 is in the environment; it then writes
header and body of a PDU apart, and each C-STORE waits for two delayed acknowledgements.
"""

import functools
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plan import scratch
from benchmarks.processes import BenchmarkError, run, run_together, running, wait_for_port
from tests.servers import free_port

TITLE = "BENCH"  # what every client calls itself
SEND_SECONDS = 600.0
OURS_ALONE = ("QUICK", "DATABASE_URL", "REDIS_URL", "TCP_NODELAY", "DJANGO_SETTINGS_MODULE")


@dataclass(frozen=True)
class Server:
    """A running contestant: where it listens and which processes it is (`roots` of trees)."""

    title: str
    port: int
    roots: tuple[int, ...]
    folder: Path  # for logs of clients; goes away with the server
    nodelay: bool = True


@dataclass(frozen=True)
class Destination:
    """A storescp that throws away what it gets."""

    title: str
    port: int


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/usr/local/bin")
    if found is None:
        raise BenchmarkError(f"{name} is not installed; on Debian: apt-get install dcmtk orthanc")
    return found


def environment(*, nodelay: bool = True) -> dict[str, str]:
    """Ours, less what is meant for this program alone."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS_ALONE}
    return kept | {"TCP_NODELAY": "1"} if nodelay else kept


def send(server: Server, shares: Sequence[Sequence[Path]]) -> float:
    """Send each share over an association of its own, all at once; seconds it took.

    They end with A-RELEASE-RP; raises BenchmarkError where any instance is refused.
    """
    commands = [
        _call("storescu", server, "-q", files=[str(path) for path in share]) for share in shares
    ]
    log = server.folder / "storescu.log"
    surroundings = _environment(server)
    began = time.perf_counter()
    run_together(commands, environment=surroundings, log=log, seconds=SEND_SECONDS)
    return time.perf_counter() - began


def instances(server: Server, studies: Sequence[str]) -> int:
    """How many instances a query finds, by the counters of these studies."""
    uids = "\\".join(studies)
    said = _find(server, f"StudyInstanceUID={uids}", "NumberOfStudyRelatedInstances")
    return sum(int(one) for one in re.findall(r"\(0020,1208\) IS \[ *(\d+)", said))


def echo(server: Server) -> float:
    """C-ECHO; seconds of the whole echoscu process."""
    command = _call("echoscu", server)
    began = time.perf_counter()
    run(command, environment=_environment(server), seconds=60)
    return time.perf_counter() - began


@dataclass(frozen=True)
class Found:
    seconds: float  # of the whole findscu process
    answers: int


def find(server: Server, *keys: str) -> Found:
    """Query at study level: `PatientID=1`, or a bare name for a return key."""
    began = time.perf_counter()
    said = _find(server, *keys)
    return Found(time.perf_counter() - began, said.count("Find Response:"))


def _find(server: Server, *keys: str) -> str:
    said = run(
        _call("findscu", server, "-v", "-S", *_keys("QueryRetrieveLevel=STUDY", *keys)),
        environment=_environment(server),
        seconds=120,
    )
    final = re.search(r"Received Final Find Response \((.*)\)", said)
    if final is None or final[1] != "Success":
        raise BenchmarkError(f"C-FIND at {server.title}: {final[1] if final else said[-500:]}")
    return said


def _environment(server: Server) -> dict[str, str]:
    """That of DCMTK's clients, for every contestant.

    They read all of its data dictionary at their start, 8,000 lines, which takes three times as
    long as a query and as long as ten images: they are given the groups that queries are made
    of. What storescu sends is the same.
    """
    return environment(nodelay=server.nodelay) | {"DCMDICTPATH": str(_short_dictionary())}


_ASKED_GROUPS = ("(0000,", "(0002,", "(0008,", "(0010,", "(0020,", "(fffe,")


@functools.cache
def _short_dictionary() -> Path:
    whole = next(iter(sorted(Path("/usr/share").glob("libdcmtk*/dicom.dic"))), None)
    if whole is None:
        raise BenchmarkError("the data dictionary of DCMTK is not where Debian keeps it")
    lines = whole.read_text().splitlines(keepends=True)
    short = scratch() / "queries.dic"
    short.write_text("".join(line for line in lines if line.startswith(_ASKED_GROUPS)))
    return short


def move(server: Server, study: str, destination: Destination) -> float:
    """C-MOVE a study; seconds of the whole movescu process."""
    keys = _keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}")
    command = _call("movescu", server, "-v", "-S", "-aem", destination.title, *keys)
    began = time.perf_counter()
    said = run(command, environment=_environment(server), seconds=300)
    seconds = time.perf_counter() - began
    if "Final Move Response (Success)" not in said:
        raise BenchmarkError(f"C-MOVE at {server.title} did not succeed:\n{said[-500:]}")
    return seconds


def get(server: Server, study: str, *, instances: int) -> float:
    """C-GET a study; seconds of the whole getscu process, which writes the files."""
    with tempfile.TemporaryDirectory(dir=server.folder) as folder:
        keys = _keys("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}")
        command = _call("getscu", server, "-S", "+B", "-od", folder, *keys)
        began = time.perf_counter()
        said = run(command, environment=_environment(server), seconds=300)
        seconds = time.perf_counter() - began
        got = len(list(Path(folder).iterdir()))
    if got != instances:
        raise BenchmarkError(f"C-GET at {server.title}: {got} of {instances}\n{said[-500:]}")
    return seconds


@contextmanager
def receiving(destination: Destination, folder: Path) -> Iterator[None]:
    """Run the storescp; associations in parallel, nothing written."""
    log = folder / f"storescp-{destination.title}.log"
    command = [
        *(program("storescp"), "--fork", "--ignore", "-pdu", "131072"),
        *("-aet", destination.title, str(destination.port)),
    ]
    with running(command, log=log, environment=environment(), stop=signal.SIGTERM) as process:
        wait_for_port(destination.port, process, log)
        yield


def destination(title: str) -> Destination:
    return Destination(title, free_port())


def _call(tool: str, server: Server, *options: str, files: Sequence[str] = ()) -> list[str]:
    return [
        *(program(tool), *options, "-aet", TITLE, "-aec", server.title),
        *("127.0.0.1", str(server.port), *files),
    ]


def _keys(*keys: str) -> list[str]:
    return [word for key in keys for word in ("-k", key)]
