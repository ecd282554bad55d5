"""The viewer's files: the published OHIF package, moved from / to /viewer/.

`python -m apps.viewer.dist PACKAGE.tgz BUILD_DIR` checks the package against ohif.json and
leaves two things: BUILD_DIR/public/viewer/ (served as it is, with .gz beside each file) and
BUILD_DIR/viewer/index.html (served by a view). The package is built for the root of a host
and has no option for another path, hence the rewriting; every rewrite has the number of
places at which it must apply in the pinned version, and any other number stops the install.
Needs the standard library only.
"""

import base64
import gzip
import hashlib
import json
import re
import shutil
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

BASE = "/viewer/"
PIN = Path(__file__).with_name("ohif.json")
# Left out: the machine-learning runtime (136 MB, needs models from a public hub), source
# maps, service workers and sign-in pages that load third-party scripts, hosting files, and
# what the views of this room answer themselves.
LEFT_OUT = (
    "ort/",
    "app-config.js",
    "es6-shim.min.js",
    "google.js",
    "init-service-worker.js",
    "oidc-client.min.js",
    "polyfill.min.js",
    "serve.json",
    "silent-refresh.html",
    "sw.js",
    "_headers",
    "_redirects",
)
WORTH_IT = 0.95  # a .gz larger than this share of its file is not kept
# Replaces each address at which the bundle would ask a host that is not ours.
NOWHERE = "/viewer/unavailable"


class Unexpected(Exception):
    """The package is not the one that this version of openpacs knows."""


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """`pattern` (a regular expression) becomes `by` at exactly `count` places of `files`."""

    files: str
    pattern: str
    by: str
    count: int


REWRITES = (
    # Where the main bundle and its workers look for their chunks.
    Rewrite(
        files="*.js",
        pattern=re.escape('__webpack_require__.p = "/";'),
        by=f'__webpack_require__.p = "{BASE}";',
        count=8,
    ),
    Rewrite(
        files="app.bundle.*.js",
        pattern=re.escape("browserImportFunction('/dicom-microscopy-viewer/"),
        by=f"browserImportFunction('{BASE}dicom-microscopy-viewer/",
        count=1,
    ),
    Rewrite(files="app.bundle.css", pattern=r"url\(/", by=f"url({BASE}", count=5),
    Rewrite(files="manifest.json", pattern=r'"/assets/', by=f'"{BASE}assets/', count=9),
    # Third parties: segmentation models, translations, WebAssembly pipelines.
    Rewrite(files="*.js", pattern=r"https://huggingface\.co", by=NOWHERE, count=6),
    Rewrite(files="*.js", pattern=r"https://(api|www)\.locize\.io", by=NOWHERE, count=9),
    Rewrite(files="*.js", pattern=r"https://cdn\.jsdelivr\.net", by=NOWHERE, count=1),
    # The page: our paths; its inline scripts are in app-config.js, so that the viewer's
    # Content-Security-Policy needs no 'unsafe-inline' for scripts.
    Rewrite(
        files="index.html",
        pattern=r'<script[^>]*src="/init-service-worker\.js"></script>',
        by="",
        count=1,
    ),
    Rewrite(files="index.html", pattern=r"<script>.*?</script>", by="", count=2),
    Rewrite(
        files="index.html",
        pattern=r'(src|href|content)="/',
        by=rf'\1="{BASE}',
        count=32,
    ),
)


def make(package: Path, build: Path) -> None:
    """Make the viewer below `build` from the npm archive `package`; raises Unexpected."""
    check(package)
    public = build / "public" / "viewer"
    making = build / "viewer.part"
    shutil.rmtree(making, ignore_errors=True)
    unpack(package, making)
    for rewrite in REWRITES:
        apply(rewrite, making)
    page = build / "viewer" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    (making / "index.html").replace(page)
    compress(making)
    shutil.rmtree(public, ignore_errors=True)
    public.parent.mkdir(parents=True, exist_ok=True)
    making.replace(public)


def check(package: Path) -> None:
    """Refuse an archive that is not, byte for byte, the pinned one."""
    digest = hashlib.sha512(package.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    pinned = json.loads(PIN.read_text())["integrity"]
    if found != pinned:
        raise Unexpected(f"{package.name} is not the pinned package: {found}, not {pinned}")


def unpack(package: Path, target: Path) -> None:
    """Write the files of the archive's dist/ that are wanted into `target`."""
    with tarfile.open(package) as archive:
        for member in archive:
            name = member.name.removeprefix("package/dist/")
            if member.isfile() and name != member.name and wanted(name):
                write(archive, member, target / name)


def write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = archive.extractfile(member)
    if source is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read())


def wanted(name: str) -> bool:
    return not name.startswith(LEFT_OUT) and not name.endswith(".map")


def apply(rewrite: Rewrite, folder: Path) -> None:
    """Do one rewrite in the top level of `folder`; refuse any other number of places."""
    done = 0
    for path in sorted(folder.glob(rewrite.files)):
        text, count = re.subn(rewrite.pattern, rewrite.by, path.read_text(encoding="utf-8"))
        if count:
            path.write_text(text, encoding="utf-8")
            done += count
    if done != rewrite.count:
        raise Unexpected(
            f"{rewrite.pattern!r} stands at {done} places of {rewrite.files}, "
            f"expected {rewrite.count}: is this another version of the viewer?"
        )


def compress(folder: Path) -> None:
    """Put a .gz beside each file that shrinks, once, instead of at each request."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with ThreadPoolExecutor() as threads:
        for _ in threads.map(compress_file, files):
            pass


def compress_file(path: Path) -> None:
    data = path.read_bytes()
    compressed = gzip.compress(data, mtime=0)
    if len(compressed) < WORTH_IT * len(data):
        path.with_name(path.name + ".gz").write_bytes(compressed)


def main() -> int:
    package, build = (Path(argument) for argument in sys.argv[1:3])
    try:
        make(package, build)
    except Unexpected as refusal:
        sys.stderr.write(f"The viewer was not installed: {refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
