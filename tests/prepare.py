"""Bring in what the tests need beyond the product: `python -m tests.prepare`.

Python packages go into .venv, checked by hash. Programs (browser, database, DICOM tools) are
installed with apt-get where this is root on a Debian system; elsewhere what is missing is
printed with the way to get it, and the run ends with 1.
"""

import os
import shutil
import sys
from pathlib import Path

from openpacs.install import PYTHON_PACKAGES, ROOT, Refused, Run, Step, install, pip_install

# Program -> Debian package. Looked for on PATH and where Debian keeps the database server.
PROGRAMS = {
    "Orthanc": "orthanc",
    "chromium": "chromium",
    "dciodvfy": "dicom3tools",
    "echoscu": "dcmtk",
    "gdcmconv": "libgdcm-tools",
    "initdb": "postgresql",
    "libOrthancDicomWeb.so": "orthanc-dicomweb",
    "pdftotext": "poppler-utils",
    "redis-server": "redis-server",
    "strace": "strace",
    "xorriso": "xorriso",
}
# Where Debian keeps daemons; not on the PATH of everybody.
DAEMONS = "/usr/sbin"
POSTGRES = Path("/usr/lib/postgresql")
ORTHANC_PLUGINS = Path("/usr/share/orthanc/plugins")


def install_tools(run: Run) -> None:
    pip_install(run, "requirements-dev.lock")


TOOLS = Step(
    "Development tools",
    stamp=Path(".venv/openpacs-tools"),
    made=Path(".venv/bin/pytest"),
    work=install_tools,
    inputs=(Path("requirements-dev.lock"),),
    after=(PYTHON_PACKAGES,),
)


def find_program(name: str) -> str | None:
    """The path of a program, or of a plugin of one, or None."""
    found = shutil.which(name) or shutil.which(name, path=DAEMONS)
    if (ORTHANC_PLUGINS / name).is_file():
        found = str(ORTHANC_PLUGINS / name)
    if found or not POSTGRES.is_dir():
        return found
    newest_first = sorted(POSTGRES.glob(f"*/bin/{name}"), key=_version, reverse=True)
    return str(newest_first[0]) if newest_first else None


def _version(path: Path) -> int:
    number = path.parent.parent.name
    return int(number) if number.isdigit() else 0


def missing_packages() -> list[str]:
    return sorted({package for name, package in PROGRAMS.items() if not find_program(name)})


def install_programs(run: Run, packages: list[str]) -> None:
    """Install Debian packages; raises Refused with the command to give where we may not."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Refused(
            f"The tests need programs that are not here: {', '.join(packages)}.\n"
            f"On Debian or Ubuntu: sudo apt-get install {' '.join(packages)}"
        )
    run.label = f"Programs ({', '.join(packages)})"
    run.say(f"{run.label} ...")
    # RUNLEVEL=1: the packages' services are not started; the tests start their own.
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run.command("apt-get", "update", environment=environment)
    run.command(
        *("apt-get", "install", "--yes", "--no-install-recommends", *packages),
        environment=environment,
    )
    if still := missing_packages():
        raise Refused(f"apt-get did not bring everything: {', '.join(still)} missing.")


def main() -> int:
    run = Run(ROOT)
    try:
        install([TOOLS], run)
        if "--python-only" not in sys.argv and (packages := missing_packages()):
            install_programs(run, packages)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
