"""All checks and tests, one after the other: `python -m tests.everything [--static]`.

Every check runs even when an earlier one failed, so that one run shows all there is to
mend; the exit code is 0 only if all passed.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
PROCESSES = str(min(os.cpu_count() or 1, 8))


@dataclass(frozen=True)
class Check:
    title: str
    command: tuple[str, ...]


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def manage(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "manage.py", *arguments)


STATIC = (
    Check("Format (ruff)", tool("ruff", "format", "--check", "--quiet", ".")),
    Check("Lint (ruff)", tool("ruff", "check", "--quiet", ".")),
    Check("Types (mypy)", tool("mypy")),
    Check("Arrows (import-linter)", tool("lint-imports")),
    Check("Templates, format (djlint)", tool("djlint", "templates", "--check", "--quiet")),
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


def run(checks: tuple[Check, ...]) -> int:
    """Run all checks; returns how many failed."""
    results: list[tuple[Check, int, float]] = []
    with tempfile.TemporaryDirectory(prefix="openpacs-checks-") as home:
        for check in checks:
            say(f"\n=== {check.title}")
            began = time.monotonic()
            code = subprocess.run(
                check.command, cwd=ROOT, env=environment(home), check=False
            ).returncode
            results.append((check, code, time.monotonic() - began))
    say("")
    for check, code, seconds in results:
        say(f"{'failed' if code else 'ok':>6}  {seconds:4.0f} s  {check.title}")
    return sum(1 for _, code, _ in results if code)


def environment(home: str) -> dict[str, str]:
    """The caller's, less what would send the checks to somebody's data."""
    ours = {"DATABASE_URL", "REDIS_URL", "DICOM_STORAGE"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "OPENPACS_HOME": home}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    static_only = "--static" in sys.argv
    return 1 if run(STATIC if static_only else STATIC + TESTS) else 0


if __name__ == "__main__":
    sys.exit(main())
