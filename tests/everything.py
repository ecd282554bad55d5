"""All checks side by side, then all tests: `python -m tests.everything [--static]`.

Every check runs even when an earlier one failed, so that one run shows all there is to
mend; the exit code is 0 only if all passed.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
CORES = min(os.cpu_count() or 1, 8)
PROCESSES = str(CORES + 1)  # many a test waits for a server, and leaves its core idle


@dataclass(frozen=True)
class Check:
    title: str
    command: tuple[str, ...]


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def manage(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "manage.py", *arguments)


STATIC = (
    Check("Types (mypy)", tool("mypy")),  # first: the others are done by the time it is
    Check("Format (ruff)", tool("ruff", "format", "--check", "--quiet", ".")),
    Check("Lint (ruff)", tool("ruff", "check", "--quiet", ".")),
    Check("Arrows (import-linter)", tool("lint-imports")),
    Check("Templates, format (djlint)", tool("djlint", "templates", "--check")),
    Check("Templates, lint (djlint)", tool("djlint", "templates", "--lint", "--quiet")),
    Check(
        "OpenAPI schema",
        manage("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull),
    ),
    Check("Migrations", manage("makemigrations", "--check", "--dry-run")),
    Check("Django's own checks", manage("check", "--fail-level", "WARNING")),
)
PYTEST = (
    *("-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder"),  # the slow ones first
    *("--durations", "10"),
)
TESTS = (
    Check("Tests on SQLite", tool("pytest", *PYTEST, "--cov", "--cov-report", "term")),
    Check(
        "Tests on PostgreSQL and Redis",
        (PYTHON, "-m", "tests.with_servers", "pytest", *PYTEST, "--engines"),
    ),
)


@dataclass(frozen=True)
class Result:
    title: str
    failed: bool
    seconds: float


def run(*, static_only: bool) -> int:
    """Run all checks, the static ones side by side; returns how many failed."""
    with tempfile.TemporaryDirectory(prefix="openpacs-checks-") as home:
        with ThreadPoolExecutor(CORES) as pool:
            results = list(pool.map(lambda check: perform(check, home, held=True), STATIC))
        if not static_only:
            results += [perform(check, home) for check in TESTS]
    say("")
    for one in results:
        say(f"{'failed' if one.failed else 'ok':>6}  {one.seconds:4.0f} s  {one.title}")
    return sum(one.failed for one in results)


def perform(check: Check, home: str, *, held: bool = False) -> Result:
    """Run one check; `held`: what it prints is shown when it has ended."""
    if not held:
        say(f"\n=== {check.title}")
    began = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env=environment(home),
        check=False,
        stdout=subprocess.PIPE if held else None,
        stderr=subprocess.STDOUT if held else None,
        text=True,
    )
    if held:
        say(f"\n=== {check.title}\n{done.stdout}".rstrip())
    return Result(check.title, done.returncode != 0, time.monotonic() - began)


def environment(home: str) -> dict[str, str]:
    """The caller's, less what would send the checks to somebody's data, or keep no bytecode.

    The tests start many programs, each of which would compile all rooms anew.
    """
    ours = {"DATABASE_URL", "REDIS_URL", "DICOM_STORAGE", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "OPENPACS_HOME": home}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    return 1 if run(static_only="--static" in sys.argv) else 0


if __name__ == "__main__":
    sys.exit(main())
