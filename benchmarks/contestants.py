"""Who is measured, and how both get the same images."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import clients
from benchmarks.orthanc import Orthanc
from benchmarks.ours import Openpacs
from benchmarks.processes import BenchmarkError

Contestant = Openpacs | Orthanc


def fill(contestant: Contestant, studies: Sequence[str], shares: Sequence[Sequence[Path]]) -> None:
    """Send the instances of these studies, each share on an association of its own.

    Raises where not all of them are there afterwards.
    """
    wanted = sum(map(len, shares))
    with contestant.running() as server:
        clients.send(server, shares)
        found = clients.instances(server, studies)
    if found != wanted:
        raise BenchmarkError(f"{contestant.title} has {found} of {wanted} instances")
