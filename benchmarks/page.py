"""docs/benchmarks.md, from the results: `python -m benchmarks.page`."""

from pathlib import Path

from benchmarks import results
from benchmarks.plan import PAGE, RESULTS
from benchmarks.results import Row

TITLES = {
    "store": "C-STORE",
    "million": "Ingest with a million instances in the index",
    "find": "C-FIND",
    "retrieve": "C-MOVE and C-GET",
}
INTRODUCTION = """\
# Benchmarks

openpacs beside Orthanc on one machine, in one run. `make bench` makes these tables anew; `make
bench-store`, `bench-find`, `bench-retrieve` and `bench-million` do one each, and `QUICK=1` less
of it, in under five minutes, without touching this page.

- Both as shipped: openpacs started by its supervisor with all its parts, limits, journal and
  device checks; Orthanc with SQLite, its defaults and the DICOMweb plugin. PostgreSQL, where it
  is used, keeps its own durability (`fsync`, `synchronous_commit`).
- Both sync a file before they answer success.
- Clients are the tools of DCMTK. `TCP_NODELAY=1` is set for them and for Orthanc, which is what
  suits Orthanc best; cells without it are marked "Nagle".
- Every cell of C-STORE begins with an empty storage and ends with a query, after the last
  A-RELEASE, that has to find every instance sent; a cell that misses one fails.
- Cells are interleaved, and the order is swapped each round. The ratio is the median of the
  ratios of each round, its range is beside it; above 1 openpacs is ahead. CPU is the server's,
  all its processes together, in milliseconds per instance.
- A cell begins when the machine is idle; the note below a table says how busy it was at most.
"""


def render(folder: Path) -> str:
    """The page, from all `<name>.json` in a folder."""
    known = {path.stem: results.read(path) for path in sorted(folder.glob("*.json"))}
    ordered = [name for name in TITLES if name in known]
    parts = [INTRODUCTION, *(_part(TITLES[name], known[name]) for name in ordered)]
    return "\n".join(parts)


def _part(title: str, rows: list[Row]) -> str:
    quick = "A quick run: few rounds, few instances.\n\n" if _is_quick(rows) else ""
    return f"## {title}\n\n{quick}{results.markdown_table(rows)}\n{_note(rows)}\n"


def _is_quick(rows: list[Row]) -> bool:
    return any(row.get("quick") for row in rows)


def _note(rows: list[Row]) -> str:
    """Where the figures come from."""
    if not rows:
        return ""
    machine, versions = rows[0]["machine"], rows[0]["versions"]
    busy = max((row.get("busy", 0.0) for row in rows), default=0.0)
    return (
        f"{'; '.join(machine.values())}. "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. "
        f"Busy before a cell: at most {busy:.0%}.\n"
    )


if __name__ == "__main__":
    PAGE.write_text(render(RESULTS))
