"""The published viewers: `python -m apps.viewer.packages NAME PACKAGE.tgz BUILD_DIR`.

Makes one of them from the archive that npm fetched; part of `make install`. Needs the
standard library only.
"""

import sys
from pathlib import Path

from apps.viewer import ohif, volview
from apps.viewer.dist import Unexpected, make

PACKAGES = {package.name: package for package in (ohif.PACKAGE, volview.PACKAGE)}


def main() -> int:
    name, archive, build = sys.argv[1:4]
    try:
        make(PACKAGES[name], Path(archive), Path(build))
    except Unexpected as refusal:
        sys.stderr.write(f"The viewer was not installed: {refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
