"""What the machine is, how busy it is, and what processes cost it."""

import os
import platform
import re
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 0.1  # busy fraction of all processors below which a cell may begin
FRESH_BYTES = 1536 << 20  # more than a cell writes
_PAGES = bytes(1 << 20)


class Process(NamedTuple):
    """One line of /proc/<pid>/stat; seconds of processor time."""

    pid: int
    parent: int
    name: str
    user: float  # its own, all threads
    system: float
    waited: float  # of its children that have ended


def processes() -> dict[int, Process]:
    """Every process of the machine, by its number."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended
            found[int(entry.name)] = parse_stat(text)
    return found


def parse_stat(text: str) -> Process:
    """proc(5): the name stands in parentheses and may hold anything, even parentheses."""
    opening, closing = text.index("("), text.rindex(")")
    rest = text[closing + 2 :].split()
    return Process(
        pid=int(text[:opening]),
        parent=int(rest[1]),
        name=text[opening + 1 : closing],
        user=int(rest[11]) / TICKS,
        system=int(rest[12]) / TICKS,
        waited=(int(rest[13]) + int(rest[14])) / TICKS,
    )


def family(roots: Collection[int]) -> list[Process]:
    """`roots` and all that descends from them."""
    everybody = processes()
    children: dict[int, list[int]] = {}
    for one in everybody.values():
        children.setdefault(one.parent, []).append(one.pid)
    found, left = {}, [pid for pid in roots if pid in everybody]
    while left:
        pid = left.pop()
        found[pid] = everybody[pid]
        left += children.get(pid, [])
    return list(found.values())


def cpu_seconds(roots: Collection[int]) -> float:
    """Processor time of `roots`, their descendants, and those of them that ended."""
    return sum(one.user + one.system + one.waited for one in family(roots))


def proportional_kib(roots: Collection[int]) -> int:
    """Memory of a family (PSS): what is shared is counted once among those who share it."""
    total = 0
    for one in family(roots):
        try:
            text = (PROC / str(one.pid) / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if found := re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE):
            total += int(found[1])
    return total


def wait_until_quiet(seconds: float) -> float:
    """Wait, at most so long, until hardly anything runs; the busy fraction seen last.

    What others wrote is on the disk by then, so that nobody pays for it later, and there is
    memory for what will be written.
    """
    os.sync()
    deadline = time.monotonic() + seconds
    while (busy := busy_fraction(0.5)) > QUIET and time.monotonic() < deadline:
        pass
    take_memory()
    return busy


def take_memory() -> None:
    """Have memory really there for the files of whoever runs next.

    The host of a virtual machine gives a page at its first touch, which takes ten times as long
    as writing it, differs from minute to minute, and is the same for all who write: it would be
    measured instead of them. A file that is deleted before it is on the disk leaves such pages.
    """
    with tempfile.TemporaryFile() as file:
        for _ in range(FRESH_BYTES // len(_PAGES)):
            file.write(_PAGES)


def busy_fraction(seconds: float) -> float:
    """Which part of all processors was not idle (time taken by other guests is busy too)."""
    before = _times()
    time.sleep(seconds)
    spent = [after - early for after, early in zip(_times(), before, strict=True)]
    idle = spent[3] + spent[4]  # idle, iowait
    return 1 - idle / max(1, sum(spent))


def _times() -> list[int]:
    line = (PROC / "stat").read_text().partition("\n")[0]
    return [int(word) for word in line.split()[1:9]]  # guest times are within the first eight


def describe() -> dict[str, str]:
    """The machine in words that name no host."""
    return {
        "processor": f"{os.cpu_count()} x {_cpu_model()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{_distribution()}, Linux {'.'.join(platform.release().split('.')[:2])}",
    }


def _cpu_model() -> str:
    text = (PROC / "cpuinfo").read_text(errors="replace")
    found = re.search(r"^(?:model name|Processor)\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def set_aside(folder: Path) -> None:
    """Take a used folder out of the way; it is deleted when the whole benchmark is over.

    For half a minute after thousands of files are deleted, ext4 passes over their inodes one
    by one for every new file: the next cell would pay for the one before.
    """
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}-used-{time.time_ns()}"))
