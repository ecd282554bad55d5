"""docs/benchmarks.md, from the results: `python -m benchmarks.page`."""

from pathlib import Path
from typing import NamedTuple

from benchmarks import results
from benchmarks.plan import PAGE, RESULTS
from benchmarks.results import Row


class Chapter(NamedTuple):
    """A benchmark on the page."""

    title: str
    note: str  # what its figures are


CHAPTERS = {
    "store": Chapter(
        "C-STORE",
        "Every cell begins with an empty storage and ends with a query, after the last "
        "A-RELEASE, that has to find every instance sent; a cell that misses one fails. Eight "
        "studies of 200 large or 400 small instances are dealt out to the associations. Memory is "
        "what all processes of the server grow by (proportional set size) when many associations "
        "are open and silent.",
    ),
    "million": Chapter(
        "Ingest with a million instances in the index",
        "The peer is openpacs itself with an empty index, on the same PostgreSQL cluster. The "
        "rows are as ingest writes them, compressed headers and frame tables included. What "
        "arrival brings with it (studies settled, metadata made) is over before the next cell.",
    ),
    "find": Chapter(
        "C-FIND",
        "The same 10,000 studies on both sides; the time is that of the whole findscu process, "
        "its start and the release included. An answer too many or too few fails the case.",
    ),
    "retrieve": Chapter(
        "C-MOVE and C-GET",
        "A study of 100 x 530 KB. C-MOVE goes to a storescp that throws away what it gets; "
        "Orthanc has one association for that, openpacs as many as the device is given. C-GET "
        "goes to getscu, which writes the files. Times are those of the whole client processes.",
    ),
    "qido": Chapter(
        "QIDO-RS",
        "The same 10,000 studies on both sides, one kept connection for each client; openpacs "
        "asks every request who is signed in and what they may see, Orthanc lets everybody in. "
        "With one client the figure is the median of the waits, with eight the time for each "
        "answer of all of them together. Rows with a million instances have no peer: the 95th "
        "of 100 waits, client included, is held against a limit, a ratio above 1 stays below it.",
    ),
    "render": Chapter(
        "Rendered images and thumbnails",
        "A CT study of 530 KB images, each read once. Rendered images through DICOMweb on both "
        "sides. Beside thumbnails stands the preview that Orthanc's own pages show, in full size "
        "and made anew each time; thumbnails that are kept are read ten times over.",
    ),
    "metadata": Chapter(
        "WADO-RS metadata",
        "A series of 500 CT images that differ in a dozen of 260 attributes; the time from the "
        "request to the last byte. First request: nobody asked this server for "
        "them before, but they were made when the study was complete. Nothing kept: they are made "
        "for the request. This Orthanc keeps nothing and reads its files each time. Both "
        "answer with gzip where that is asked for. CPU is per request.",
    ),
    "frames": Chapter(
        "WADO-RS frames",
        "Frames of 512 x 512 x 16 bit, as they are stored, read over connections that are kept "
        "open. Memory is what all processes of the server grow by at most (proportional set "
        "size) while twenty clients read a large study, each its first 200 MB. CPU is per frame.",
    ),
    "viewer": Chapter(
        "The viewer",
        "The same OHIF in Chromium, its drawing done by software, on the same studies: 94 CT "
        "images of 530 KB, and 25 in the study that comes next. At openpacs the department serves "
        "its files, page and settings; before Orthanc stands a small front that serves the same "
        "compressed files with the same lifetimes and passes everything else on as it comes. "
        "Times are from the start of the navigation to the first image with pixels on the "
        "screen, or to the last slice of the volume, by a browser that knows the viewer but none "
        "of these slices. The second load follows right after the first image of the first; "
        "openpacs' extension has had the browser keep the scripts compiled by then. The next "
        "study was fetched beforehand by the extension, which Orthanc has no counterpart of. "
        "A gate of 1.25 is 0.8 of Orthanc's time.",
    ),
    "stow": Chapter(
        "STOW-RS",
        "Requests of ten large or twenty small instances over kept connections, into an empty "
        "storage. openpacs answers when files and index are safe; a query afterwards has to find "
        "every instance. It asks every request who is signed in and for the token of its pages, "
        "Orthanc lets everybody in.",
    ),
}
INTRODUCTION = """\
# Benchmarks

openpacs beside Orthanc on one machine, in one run. `make bench` makes these tables anew; `make
bench-store` and its sisters (`make help`) do one each, and `QUICK=1` less of it, in under five
minutes, without touching this page.

- Both as shipped: openpacs started by its supervisor with all its parts, limits, journal and
  device checks; Orthanc with SQLite, its defaults and the DICOMweb plugin. PostgreSQL, where it
  is used, keeps its own durability (`fsync`, `synchronous_commit`).
- Both sync a file before they answer success.
- Clients of DICOM are the tools of DCMTK. `TCP_NODELAY=1` is set for them and for Orthanc, which
  is what suits Orthanc best; cells without it are marked "Nagle". They are given a short data
  dictionary, the groups of commands and of queries: reading all of DCMTK's takes most of the
  time of a findscu, whoever answers. Clients of DICOMweb are one small program over kept
  connections, the same for both.
- Cells are interleaved, and the order is swapped each round. The ratio is the median of the
  ratios of each round, its range is beside it; above 1 openpacs is ahead. CPU is the server's,
  all its processes together, in milliseconds per instance.
- A cell begins when the machine is idle; the note below a table says how busy it was at most. Just
  before it a file is written and deleted again, so that there is memory for what both write: the
  host of a virtual machine gives each page at its first touch, which takes ten times as long.
"""


def render(folder: Path) -> str:
    """The page, from all `<name>.json` in a folder."""
    known = {path.stem: results.read(path) for path in sorted(folder.glob("*.json"))}
    parts = [INTRODUCTION, *(_chapter(name, known[name]) for name in CHAPTERS if name in known)]
    return "\n".join(parts)


def _chapter(name: str, rows: list[Row]) -> str:
    title, note = CHAPTERS[name]
    if _is_quick(rows):
        note += " This was a quick run: few rounds, few instances."
    return f"## {title}\n\n{note}\n\n{results.markdown_table(rows)}\n{_note(rows)}"


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
