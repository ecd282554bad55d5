"""Where our processor time per instance goes, process by process.

    python -m benchmarks.profile store [--kind small] [--associations 4] [--at-scale]

Nothing is published. `after` is what the department does in the seconds behind the last
release: sweeps, settling, delivery.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import clients, data, machine
from benchmarks.engines import Embedded, at_scale
from benchmarks.ours import Openpacs
from benchmarks.plan import chosen, scratch
from benchmarks.processes import BenchmarkError
from benchmarks.rounds import say
from tests.servers import NoServer

AFTER_SECONDS = 8.0


class Cost(NamedTuple):
    """Seconds of processor time; those of ended children are the system's of their parent."""

    user: float
    system: float
    waited: float

    def minus(self, other: "Cost") -> "Cost":
        return Cost(*(one - before for one, before in zip(self, other, strict=True)))


NOTHING = Cost(0, 0, 0)


def costs(roots: Collection[int]) -> dict[str, Cost]:
    """By the name of the processes."""
    sums: dict[str, Cost] = defaultdict(lambda: NOTHING)
    for one in machine.family(roots):
        so_far = sums[one.name]
        sums[one.name] = Cost(
            so_far.user + one.user, so_far.system + one.system, so_far.waited + one.waited
        )
    return dict(sums)


def profile_store(folder: Path, wanted: argparse.Namespace) -> str:
    """Send the data once to an empty department; the table of what it cost whom."""
    plan = chosen()
    shares = data.share_out(
        data.files(wanted.kind, plan.instances(wanted.kind)), wanted.associations
    )
    sent = sum(map(len, shares))
    with ExitStack() as stack:
        engine = stack.enter_context(at_scale()) if wanted.at_scale else Embedded()
        department = Openpacs(folder, engine)
        department.prepare()
        server = stack.enter_context(department.running())
        machine.wait_until_quiet(plan.quiet_seconds)
        before = costs(server.roots)
        seconds = clients.send(server, shares)
        during = costs(server.roots)
        time.sleep(AFTER_SECONDS)
        after = costs(server.roots)
    say(
        f"{sent} instances ({wanted.kind}), {wanted.associations} associations, {engine.name}: "
        f"{sent / seconds:.0f} instances/s"
    )
    return table(before, during, after, sent)


def table(
    before: dict[str, Cost], during: dict[str, Cost], after: dict[str, Cost], sent: int
) -> str:
    """Milliseconds per instance; a process that began later has spent all of its time here."""
    lines = [f"{'ms per instance':20}{'user':>8}{'system':>8}{'ended':>8}{'sum':>8}{'after':>8}"]
    for name in sorted(after, key=lambda name: -sum(after[name])):
        at_end = during.get(name, NOTHING)
        spent = at_end.minus(before.get(name, NOTHING))
        later = sum(after[name].minus(at_end))
        figures = (*spent, sum(spent), later)
        lines.append(f"{name:20}" + "".join(f"{1000 * one / sent:8.2f}" for one in figures))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile")
    parser.add_argument("what", choices=["store"])
    parser.add_argument("--kind", choices=["large", "small"], default="large")
    parser.add_argument("--associations", type=int, default=4)
    parser.add_argument("--at-scale", action="store_true", help="on PostgreSQL and Redis")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="run-profile-", dir=scratch()))
    try:
        say(profile_store(folder, wanted))
    except (BenchmarkError, NoServer) as problem:
        say(f"There is nothing to profile: {problem}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
