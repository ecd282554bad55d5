"""Published viewers as files of ours: moved below a path, cut off from third parties.

A `Package` says what is done to one npm package (ohif.py, volview.py); the npm archive it
was tried with is pinned by its hash (ohif.json, volview.json). `make` leaves two things:
BUILD/public/<folder>/ (served as it is, with .gz beside each file that shrinks) and
BUILD/<folder>/index.html (served by a view). Every rewrite has the number of places at
which it must apply in the pinned version; any other number stops the install. Needs the
standard library only.
"""

import base64
import gzip
import hashlib
import json
import re
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

WORTH_IT = 0.95  # a .gz larger than this share of its file is not kept
PACKED = (".zst", ".png", ".jpg", ".woff2")  # what a .gz never makes smaller
TEXTS = (".js", ".css", ".html", ".json")
ADDRESS = re.compile(r"https?://([A-Za-z0-9][A-Za-z0-9.-]*)")


class Unexpected(Exception):
    """The package is not the one that this version of openpacs knows."""


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """`pattern` (a regular expression) becomes `by` at exactly `count` places of `files`."""

    files: str
    pattern: str
    by: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Pin:
    """Which release of a package is installed; `integrity` is that of npm (sha512-...)."""

    package: str
    version: str
    integrity: str


@dataclass(frozen=True, kw_only=True)
class Package:
    """What is done to one published viewer.

    `left_out`: beginnings of names in its dist/ that are not wanted. `relied_on`: names that
    must stand somewhere in its scripts, because code of ours uses them. `mentioned`: the
    hosts its files may still name after the rewrites, in links, licences and the names of
    XML; None: its scripts carry their comments, so that hosts say nothing.
    """

    name: str
    folder: str
    left_out: tuple[str, ...] = ()
    rewrites: tuple[Rewrite, ...]
    relied_on: tuple[str, ...] = ()
    mentioned: frozenset[str] | None = None

    @property
    def pin_file(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.json")

    @property
    def pin(self) -> Pin:
        return Pin(**json.loads(self.pin_file.read_text(encoding="utf-8")))

    def wants(self, name: str) -> bool:
        return not name.startswith(self.left_out) and not name.endswith(".map")


def make(package: Package, archive: Path, build: Path) -> None:
    """Make the viewer below `build` from its npm archive; raises Unexpected."""
    check(archive, package.pin)
    making = build / f"{package.folder}.part"
    shutil.rmtree(making, ignore_errors=True)
    unpack(package, archive, making)
    if problems := problems_of(package, making):
        raise Unexpected("; ".join(problems))
    page = build / package.folder / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    (making / "index.html").replace(page)
    compress(making)
    public = build / "public" / package.folder
    shutil.rmtree(public, ignore_errors=True)
    public.parent.mkdir(parents=True, exist_ok=True)
    making.replace(public)


def integrity_of(archive: Path) -> str:
    """The hash of a file as npm writes it."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode()


def check(archive: Path, pin: Pin) -> None:
    """Refuse an archive that is not, byte for byte, the pinned one."""
    found = integrity_of(archive)
    if found != pin.integrity:
        raise Unexpected(f"{archive.name} is not the pinned package: {found}, not {pin.integrity}")


def unpack(package: Package, archive: Path, target: Path) -> None:
    """Write the files of the archive's dist/ that are wanted into `target`."""
    with tarfile.open(archive) as members:
        for member in members:
            name = member.name.removeprefix("package/dist/")
            if member.isfile() and name != member.name and package.wants(name):
                write(members, member, target / name)


def write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = archive.extractfile(member)
    if source is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read())


def problems_of(package: Package, folder: Path) -> list[str]:
    """Rewrite the unpacked files; what is not as it was in the version we know, a line each."""
    lines = [problem for one in package.rewrites if (problem := apply(one, folder))]
    lines += [f"no script knows {name!r} any more" for name in unknown(package, folder)]
    lines += [f"{host} is asked or linked to" for host in strange_hosts(package, folder)]
    return lines


def apply(rewrite: Rewrite, folder: Path) -> str:
    """Do one rewrite below `folder`; says so when it applies at another number of places."""
    done = 0
    for path in sorted(folder.glob(rewrite.files)):
        text, count = re.subn(rewrite.pattern, rewrite.by, path.read_text(encoding="utf-8"))
        if count:
            path.write_text(text, encoding="utf-8")
            done += count
    if done == rewrite.count:
        return ""
    return f"{rewrite.pattern!r} stands at {done} places of {rewrite.files}, not {rewrite.count}"


def unknown(package: Package, folder: Path) -> list[str]:
    """Names our code relies on that stand in no script of the package."""
    missing = set(package.relied_on)
    for path in folder.glob("**/*.js"):
        if missing:
            text = path.read_text(encoding="utf-8")
            missing -= {name for name in missing if name in text}
    return sorted(missing)


def strange_hosts(package: Package, folder: Path) -> list[str]:
    """Hosts that the files name and that are not known to be harmless."""
    if package.mentioned is None:
        return []
    texts = [path for path in folder.rglob("*") if path.suffix in TEXTS]
    found = {host for path in texts for host in ADDRESS.findall(path.read_text(encoding="utf-8"))}
    return sorted(found - package.mentioned)


def compress(folder: Path) -> None:
    """Put a .gz beside each file that shrinks, once, instead of at each request."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in PACKED]
    with ThreadPoolExecutor() as threads:
        for _ in threads.map(compress_file, files):
            pass


def compress_file(path: Path) -> None:
    data = path.read_bytes()
    compressed = gzip.compress(data, mtime=0)
    if len(compressed) < WORTH_IT * len(data):
        path.with_name(path.name + ".gz").write_bytes(compressed)
