"""Another release of a viewer: `python -m openpacs.upgrade_viewer VERSION [ohif|volview]`.

Fetches the release with npm, applies all rewrites and looks for the names that our code
relies on. Only when all of it fits is the pin (ohif.json, volview.json) written anew;
otherwise each thing that does not fit is said, nothing is changed, and the exit code is 1.
`make install` then installs what is pinned. Needs the standard library only.
"""

import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from apps.viewer.dist import Package, Pin, Unexpected, integrity_of, problems_of, unpack
from apps.viewer.packages import PACKAGES
from openpacs.install import ROOT, Refused, Run, find_npm

VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
Fetch = Callable[[str, Path], Path]


def upgrade(package: Package, version: str, *, fetch: Fetch) -> Pin:
    """The new pin, written; raises Unexpected, with nothing changed, where it does not fit.

    `fetch` puts the npm archive of "name@version" into a folder and says where it is.
    """
    if not VERSION.fullmatch(version):
        raise Unexpected(f"{version!r} is no version: three numbers, as 3.13.2")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = fetch(f"{package.pin.package}@{version}", folder)
        files = folder / "files"
        unpack(package, archive, files)
        if problems := problems_of(package, files):
            raise Unexpected("\n  ".join(["what does not fit:", *problems]))
        pin = Pin(package=package.pin.package, version=version, integrity=integrity_of(archive))
    package.pin_file.write_text(written(pin), encoding="utf-8")
    return pin


def written(pin: Pin) -> str:
    """A pin as it stands in its file."""
    return json.dumps(dataclasses.asdict(pin), indent=2) + "\n"


def fetch_with_npm(release: str, folder: Path) -> Path:
    """`npm pack`; raises Unexpected where the registry has no such release."""
    run = Run(ROOT, label=release)
    try:
        npm, environment = find_npm(run)
        run.command(
            *npm,
            *("pack", release, "--silent", "--pack-destination", str(folder)),
            environment=environment,
        )
    except Refused as error:
        raise Unexpected(f"{release} was not fetched: {error}") from error
    return next(folder.glob("*.tgz"))


def main() -> int:
    version, name = [*sys.argv[1:], "", ""][:2]
    package = PACKAGES.get(name or "ohif")
    if package is None:
        sys.stderr.write(f"Known viewers: {', '.join(PACKAGES)}\n")
        return 1
    before = package.pin
    try:
        pin = upgrade(package, version, fetch=fetch_with_npm)
    except Unexpected as refusal:
        sys.stderr.write(f"{package.name} stays at {before.version}: {refusal}\n")
        return 1
    same = " (nothing to change)" if pin == before else ""
    sys.stdout.write(f"{package.name} is pinned to {pin.version}{same}. Next: make install, test\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
